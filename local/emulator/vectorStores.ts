import { extname } from 'node:path';
import type { VectorStore, VectorStoreFile } from 'openai/resources/vector-stores';
import type { Engine } from './engine.ts';
import { ApiError, badRequest, invalidType } from './errors.ts';
import { findFile } from './files.ts';
import { newId, toUnixSeconds } from './ids.ts';
import type { JsonObject } from './types.ts';
import { isObject, parseRequiredText } from './validation.ts';

/** A stored vector store. `createdAt` in Unix seconds. */
export interface VectorStoreRecord {
  id: string;
  name: string;
  description: string | null;
  createdAt: number;
  metadata: JsonObject;
  expiresAfter: unknown;
  files: AttachedFile[];
  batches: BatchRecord[];
}

/** Files that were attached together. `createdAt` in Unix seconds. */
export interface BatchRecord {
  id: string;
  createdAt: number;
  fileIds: string[];
}

/** A file of a vector store. Its status is derived from the current time. Times in Unix milliseconds. */
export interface AttachedFile {
  fileId: string;
  attachedAtMs: number;
  indexedAtMs: number;
  /** Why indexing fails; null if it does not. */
  error: VectorStoreFile.LastError | null;
  attributes: JsonObject;
  chunkingStrategy: unknown;
  /** Its batch was cancelled before it was indexed. */
  isCancelled?: boolean;
}

type Status = VectorStoreFile['status'];

/** Extensions of the files that real engines search. */
const searchable = new Set(
  `.c .cpp .cs .css .doc .docx .go .html .java .js .json .md .pdf .php .pptx .py .rb .sh .tex .ts .txt`.split(
    ' ',
  ),
);

/** Returns a vector store, one of the documents' folder included. @throws {ApiError} 404 */
export function findStore(engine: Engine, id: string): VectorStoreRecord {
  const store = engine.vectorStores.get(id) ?? folderStore(engine, id);
  if (!store)
    throw new ApiError(404, `Vector store with id '${id}' not found.`, { param: 'vector_store_id' });
  return store;
}

/** Returns whether a store exists. */
export function hasStore(engine: Engine, id: string): boolean {
  return engine.vectorStores.has(id) || engine.folderStores.list(id) !== null;
}

function folderStore(engine: Engine, id: string): VectorStoreRecord | null {
  const files = engine.folderStores.list(id);
  if (!files) return null;
  const createdAt = Math.min(toUnixSeconds(Date.now()), ...files.map((file) => file.createdAt));
  return {
    id,
    name: id,
    description: null,
    createdAt,
    metadata: {},
    expiresAfter: null,
    files: [],
    batches: [],
  };
}

/** Returns all files of a store, oldest first: those of its folder, and those that were attached. */
export function filesOf(engine: Engine, store: VectorStoreRecord): AttachedFile[] {
  const inFolder = (engine.folderStores.list(store.id) ?? []).map(({ id, modifiedAtMs }) => ({
    fileId: id,
    attachedAtMs: modifiedAtMs,
    indexedAtMs: modifiedAtMs,
    error: null,
    attributes: {},
    chunkingStrategy: undefined,
  }));
  return [...inFolder, ...store.files];
}

export function statusOfFile({ indexedAtMs, error, isCancelled = false }: AttachedFile): Status {
  if (isCancelled) return 'cancelled';
  if (Date.now() < indexedAtMs) return 'in_progress';
  return error ? 'failed' : 'completed';
}

/**
 * Attaches a file, which is indexed after a delay; again if the store has it already.
 * @throws {ApiError} 404 for an unknown file, 400 for a format that cannot be searched.
 */
export function attach(engine: Engine, store: VectorStoreRecord, body: JsonObject): AttachedFile {
  const fileId = parseRequiredText(body, 'file_id');
  const { filename, bytes } = findFile(engine, fileId);
  const extension = extname(filename).toLowerCase();
  if (!searchable.has(extension)) {
    const message = `Files with extensions [${extension || 'none'}] are not supported for retrieval. See https://platform.openai.com/docs/assistants/tools/file-search/supported-files.`;
    throw badRequest(message, 'file_id', 'unsupported_file');
  }
  const attachedAtMs = Date.now();
  const file: AttachedFile = {
    fileId,
    attachedAtMs,
    indexedAtMs: attachedAtMs + engine.timing.indexMs,
    error: takeIndexError(engine) ?? (bytes === 0 ? emptyFile : null),
    attributes: parseAttributes(body),
    chunkingStrategy: body['chunking_strategy'],
  };
  store.files = [...store.files.filter((other) => other.fileId !== fileId), file];
  saveStore(engine, store);
  return file;
}

export function parseAttributes({ attributes }: JsonObject): JsonObject {
  if (attributes !== undefined && attributes !== null && !isObject(attributes))
    throw invalidType('attributes', 'an object', attributes);
  return attributes ?? {};
}

const emptyFile: VectorStoreFile.LastError = {
  code: 'invalid_file',
  message: 'The file could not be parsed because it is empty.',
};

function takeIndexError(engine: Engine): VectorStoreFile.LastError | undefined {
  const next = engine.indexErrors[0];
  if (next && next.times !== null && --next.times === 0) engine.indexErrors.shift();
  return next?.error;
}

/** Removes a file from a store. */
export function detach(engine: Engine, store: VectorStoreRecord, fileId: string): void {
  const files = store.files.filter((file) => file.fileId !== fileId);
  if (files.length === store.files.length) return;
  store.files = files;
  saveStore(engine, store);
}

/** Creates an empty store. */
export function addStore(
  engine: Engine,
  { id = newId('vs'), ...given }: Partial<VectorStoreRecord>,
): VectorStoreRecord {
  const createdAt = toUnixSeconds(Date.now());
  const store = {
    name: '',
    description: null,
    metadata: {},
    expiresAfter: null,
    files: [],
    batches: [],
    ...given,
    id,
    createdAt,
  };
  saveStore(engine, store);
  return store;
}

export function saveStore(engine: Engine, store: VectorStoreRecord): void {
  engine.vectorStores.set(store.id, store);
  engine.storage.vectorStores.save(store);
}

export function countsOf(files: readonly AttachedFile[]): VectorStore.FileCounts {
  const counts = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: files.length };
  for (const file of files) counts[statusOfFile(file)] += 1;
  return counts;
}
