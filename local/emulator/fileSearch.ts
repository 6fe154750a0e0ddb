import { type DocumentIndex, indexDocuments, type Match } from './documents.ts';
import type { Engine } from './engine.ts';
import { contentOf, findFile, hasFile } from './files.ts';
import { type AttachedFile, filesOf, findStore, hasStore, statusOfFile } from './vectorStores.ts';

const maxIndexes = 100;

/** Searches the indexed files of vector stores. A store that was deleted meanwhile counts as empty. */
export function searchStores(engine: Engine, storeIds: readonly string[], query: string): Match[] {
  const files = storeIds
    .filter((id) => hasStore(engine, id))
    .flatMap((id) => filesOf(engine, findStore(engine, id)));
  return searchFiles(engine, files, query);
}

/** Searches those of the files that are indexed and have not been deleted since. */
export function searchFiles(engine: Engine, given: readonly AttachedFile[], query: string): Match[] {
  const files = given.filter((file) => statusOfFile(file) === 'completed' && hasFile(engine, file.fileId));
  const fileIds = [...new Set(files.map(({ fileId }) => fileId))];
  const key = files.map(({ fileId, attachedAtMs }) => `${fileId}:${attachedAtMs}`).join();
  return findIndex(engine, key, fileIds)(query);
}

function findIndex(engine: Engine, key: string, fileIds: readonly string[]): DocumentIndex {
  const known = engine.indexes.get(key);
  if (known) return known;
  const sources = fileIds.map((fileId) => {
    const { filename } = findFile(engine, fileId);
    return { fileId, filename, content: contentOf(engine, fileId) };
  });
  if (engine.indexes.size >= maxIndexes) engine.indexes.clear();
  const index = indexDocuments(sources);
  engine.indexes.set(key, index);
  return index;
}
