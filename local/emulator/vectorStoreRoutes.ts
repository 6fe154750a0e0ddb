import type { VectorStore, VectorStoreFile, VectorStoreFileBatch } from 'openai/resources/vector-stores';
import type { Engine } from './engine.ts';
import { ApiError, invalidType } from './errors.ts';
import { contentOf, findFile, hasFile } from './files.ts';
import { type Call, type HandlerResult, ok } from './http.ts';
import { newId, toUnixSeconds } from './ids.ts';
import { pageOf } from './pages.ts';
import { isObject, parseMetadata, parseText, rejectUnknown } from './validation.ts';
import {
  type AttachedFile,
  addStore,
  attach,
  type BatchRecord,
  countsOf,
  detach,
  filesOf,
  findStore,
  parseAttributes,
  saveStore,
  statusOfFile,
  type VectorStoreRecord,
} from './vectorStores.ts';

const storeParameters = ['chunking_strategy', 'description', 'expires_after', 'file_ids', 'metadata', 'name'];

export function createStore(engine: Engine, { body }: Call): HandlerResult {
  rejectUnknown(body, new Set(storeParameters));
  const fileIds = parseIds(body['file_ids']);
  for (const id of fileIds) findFile(engine, id);
  const store = addStore(engine, {
    name: parseText(body, 'name') ?? '',
    description: parseText(body, 'description'),
    metadata: parseMetadata(body['metadata']),
    expiresAfter: body['expires_after'] ?? null,
  });
  for (const file_id of fileIds) attach(engine, store, { ...body, file_id });
  return ok(toWireStore(engine, store));
}

export function listStores(engine: Engine, { query }: Call): HandlerResult {
  const inFolder = engine.folderStores.storeIds().filter((id) => !engine.vectorStores.has(id));
  const stores = [...inFolder.map((id) => findStore(engine, id)), ...engine.vectorStores.values()];
  return ok(
    pageOf(
      stores.map((store) => toWireStore(engine, store)),
      query,
    ),
  );
}

export function getStore(engine: Engine, { ids }: Call): HandlerResult {
  return ok(toWireStore(engine, findStore(engine, ids[0] ?? '')));
}

export function updateStore(engine: Engine, { ids, body }: Call): HandlerResult {
  rejectUnknown(body, new Set(['expires_after', 'metadata', 'name']));
  const store = findStore(engine, ids[0] ?? '');
  store.name = parseText(body, 'name') ?? store.name;
  if (body['metadata'] !== undefined) store.metadata = parseMetadata(body['metadata']);
  if (body['expires_after'] !== undefined) store.expiresAfter = body['expires_after'];
  saveStore(engine, store);
  return ok(toWireStore(engine, store));
}

/** Deletes a store, but not its files. */
export function deleteStore(engine: Engine, { ids }: Call): HandlerResult {
  const { id } = findStore(engine, ids[0] ?? '');
  engine.vectorStores.delete(id);
  engine.storage.vectorStores.remove(id);
  return ok({ id, object: 'vector_store.deleted', deleted: true });
}

export function createStoreFile(engine: Engine, { ids, body }: Call): HandlerResult {
  rejectUnknown(body, new Set(['attributes', 'chunking_strategy', 'file_id']));
  const store = findStore(engine, ids[0] ?? '');
  return ok(toWireFile(engine, store, attach(engine, store, body)));
}

export function listStoreFiles(engine: Engine, call: Call): HandlerResult {
  const store = findStore(engine, call.ids[0] ?? '');
  return listFilesOf(engine, store, filesOf(engine, store), call);
}

function listFilesOf(
  engine: Engine,
  store: VectorStoreRecord,
  files: readonly AttachedFile[],
  { query }: Call,
): HandlerResult {
  const filter = query.get('filter');
  const wanted = files.filter((file) => filter === null || statusOfFile(file) === filter);
  return ok(
    pageOf(
      wanted.map((file) => toWireFile(engine, store, file)),
      query,
    ),
  );
}

export function getStoreFile(engine: Engine, { ids }: Call): HandlerResult {
  const store = findStore(engine, ids[0] ?? '');
  return ok(toWireFile(engine, store, findAttached(engine, store, ids[1] ?? '')));
}

/** Removes a file from a store; the file itself stays. */
export function deleteStoreFile(engine: Engine, { ids }: Call): HandlerResult {
  const store = findStore(engine, ids[0] ?? '');
  const { fileId } = findAttached(engine, store, ids[1] ?? '');
  detach(engine, store, fileId);
  return ok({ id: fileId, object: 'vector_store.file.deleted', deleted: true });
}

/** Replaces the attributes of a file. */
export function updateStoreFile(engine: Engine, { ids, body }: Call): HandlerResult {
  rejectUnknown(body, new Set(['attributes']));
  const store = findStore(engine, ids[0] ?? '');
  const file = findAttached(engine, store, ids[1] ?? '');
  file.attributes = parseAttributes(body);
  saveStore(engine, store);
  return ok(toWireFile(engine, store, file));
}

/** Returns the text of a file, in one part. */
export function getStoreFileContent(engine: Engine, { ids }: Call): HandlerResult {
  const store = findStore(engine, ids[0] ?? '');
  const { fileId } = findAttached(engine, store, ids[1] ?? '');
  findFile(engine, fileId);
  const data = [{ type: 'text', text: contentOf(engine, fileId).toString() }];
  return ok({ object: 'vector_store.file_content.page', data, has_more: false, next_page: null });
}

/** Stops indexing the files of a batch. */
export function cancelBatch(engine: Engine, { ids }: Call): HandlerResult {
  const store = findStore(engine, ids[0] ?? '');
  const batch = findBatch(store, ids[1] ?? '');
  for (const file of filesOfBatch(store, batch))
    if (statusOfFile(file) === 'in_progress') file.isCancelled = true;
  saveStore(engine, store);
  return ok(toWireBatch(store, batch));
}

export function createBatch(engine: Engine, { ids, body }: Call): HandlerResult {
  rejectUnknown(body, new Set(['attributes', 'chunking_strategy', 'file_ids', 'files']));
  const store = findStore(engine, ids[0] ?? '');
  const { file_ids, files, ...common } = body;
  const given = Array.isArray(files)
    ? files.filter(isObject)
    : parseIds(file_ids).map((file_id) => ({ file_id }));
  for (const file of given) findFile(engine, String(file['file_id']));
  const attached = given.map((file) => attach(engine, store, { ...common, ...file }));
  const batch = {
    id: newId('vsfb'),
    createdAt: toUnixSeconds(Date.now()),
    fileIds: attached.map(({ fileId }) => fileId),
  };
  store.batches = [...(store.batches ?? []), batch];
  saveStore(engine, store);
  return ok(toWireBatch(store, batch));
}

export function getBatch(engine: Engine, { ids }: Call): HandlerResult {
  const store = findStore(engine, ids[0] ?? '');
  return ok(toWireBatch(store, findBatch(store, ids[1] ?? '')));
}

export function listBatchFiles(engine: Engine, call: Call): HandlerResult {
  const store = findStore(engine, call.ids[0] ?? '');
  const files = filesOfBatch(store, findBatch(store, call.ids[1] ?? ''));
  return listFilesOf(engine, store, files, call);
}

function findBatch({ batches = [] }: VectorStoreRecord, id: string): BatchRecord {
  const batch = batches.find((one) => one.id === id);
  if (!batch) throw new ApiError(404, `No file batch found with id '${id}'.`);
  return batch;
}

/** Returns the files of a batch that are still in the store. */
const filesOfBatch = (store: VectorStoreRecord, { fileIds }: BatchRecord): AttachedFile[] =>
  store.files.filter((file) => fileIds.includes(file.fileId));

function findAttached(engine: Engine, store: VectorStoreRecord, fileId: string): AttachedFile {
  const file = filesOf(engine, store).find((one) => one.fileId === fileId);
  if (!file) throw new ApiError(404, `No file found with id '${fileId}' in vector store '${store.id}'.`);
  return file;
}

function parseIds(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidType('file_ids', 'an array of strings', value);
  return value.map(String);
}

function toWireBatch(store: VectorStoreRecord, batch: BatchRecord) {
  const counts = countsOf(filesOfBatch(store, batch));
  return {
    id: batch.id,
    object: 'vector_store.files_batch',
    created_at: batch.createdAt,
    vector_store_id: store.id,
    status: counts.in_progress > 0 ? 'in_progress' : counts.cancelled > 0 ? 'cancelled' : 'completed',
    file_counts: counts,
  } satisfies VectorStoreFileBatch;
}

function toWireStore(engine: Engine, store: VectorStoreRecord) {
  const files = filesOf(engine, store);
  const counts = countsOf(files);
  return {
    id: store.id,
    object: 'vector_store',
    created_at: store.createdAt,
    name: store.name,
    description: store.description ?? null,
    usage_bytes: files.reduce((sum, file) => sum + usageOf(engine, file), 0),
    file_counts: counts,
    status: counts.in_progress > 0 ? 'in_progress' : 'completed',
    expires_after: store.expiresAfter,
    expires_at: expiryOf(store),
    last_active_at: store.createdAt,
    metadata: store.metadata as VectorStore['metadata'],
  } satisfies Omit<VectorStore, 'expires_after'> & Record<string, unknown>;
}

function toWireFile(engine: Engine, store: VectorStoreRecord, file: AttachedFile) {
  const status = statusOfFile(file);
  return {
    id: file.fileId,
    object: 'vector_store.file',
    usage_bytes: usageOf(engine, file),
    created_at: toUnixSeconds(file.attachedAtMs),
    vector_store_id: store.id,
    status,
    last_error: status === 'failed' ? file.error : null,
    chunking_strategy: chunkingOf(file.chunkingStrategy),
    attributes: file.attributes as VectorStoreFile['attributes'] & object,
  } satisfies VectorStoreFile;
}

/** Returns the strategy of a file; `auto` stands for these sizes. */
function chunkingOf(given: unknown): NonNullable<VectorStoreFile['chunking_strategy']> {
  const sizes = { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 };
  const asked = isObject(given) && isObject(given['static']) ? given['static'] : {};
  return { type: 'static', static: { ...sizes, ...asked } };
}

function usageOf(engine: Engine, file: AttachedFile): number {
  // A file may have been deleted since.
  const bytes = hasFile(engine, file.fileId) ? findFile(engine, file.fileId).bytes : 0;
  return statusOfFile(file) === 'completed' ? bytes : 0;
}

function expiryOf({ createdAt, expiresAfter }: VectorStoreRecord): number | null {
  return isObject(expiresAfter) ? createdAt + Number(expiresAfter['days']) * 86_400 : null;
}
