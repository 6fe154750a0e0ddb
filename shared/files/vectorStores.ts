import type { EngineVectorStores, SearchResults } from '../engine/vectorStores.ts';
import { AppError } from '../errors.ts';
import { sealFileId } from '../model/fileId.ts';
import { type Repeatable, repetitionMs, toRequestHash } from '../model/idempotencyKey.ts';
import { isVectorStoreId } from '../model/ids.ts';
import type {
  NewVectorStore,
  SearchRequest,
  StoredVectorStore,
  VectorStore,
  VectorStoreChanges,
  VectorStoreKey,
} from '../model/vectorStore.ts';
import { openVectorStoreId, sealVectorStoreId } from '../model/vectorStoreId.ts';
import type { VectorStoreRegistry } from '../storage/vectorStoreRegistry.ts';
import type { FileServices } from './fileServices.ts';
import { findCursor, ignoreMissing, listKnown, lookUp } from './listKnown.ts';
import { undo } from './undo.ts';

/*
 * Vector stores of a project. An id is the engine's, encrypted with the project's secret: an id that decrypts is the
 * project's own. The vector store of the project's documents, and those that the operator configured, have no such id.
 */

/** Dependencies of the operations on vector stores. */
export interface VectorStoreServices extends FileServices {
  readonly vectorStores: VectorStoreRegistry;
  readonly workerStores: FileServices['workerStores'] & { readonly vectorStores: VectorStoreRegistry };
  readonly engineVectorStores: EngineVectorStores;
}

/** A vector store that is the project's by its id. */
export interface OpenVectorStore {
  /** The engine's id. */
  readonly storeId: string;
  /** The secret of the project's ids. */
  readonly secret: string;
}

/** Timeout of a call of the engine, in milliseconds. */
export const callMs = 10_000;

/** Number of newest vector stores among which a repeated request looks for its first attempt. */
const recentStores = 20;

/**
 * Creates a vector store.
 * @param repeatable finds the vector store that an earlier attempt of the same request created.
 * @throws {AppError} file_not_found, invalid_request, rate_limited, unavailable, internal_error; nobody then knows of a
 * vector store.
 */
export async function createVectorStore(
  services: VectorStoreServices,
  projectId: string,
  input: NewVectorStore,
  repeatable?: Repeatable,
): Promise<VectorStore> {
  const { vectorStores, engineVectorStores, fileSecrets, deadline } = services;
  const secret = await fileSecrets.open(projectId);
  const requestHash = repeatable ? toRequestHash(secret, repeatable) : '';
  const earlier = repeatable?.isRepetition && (await findRecent(services, projectId, requestHash));
  if (earlier) return readVectorStore(services, earlier);
  const fileIds = await findEngineFiles(services, projectId, input.fileIds);
  const created = await engineVectorStores.create({ ...input, fileIds }, deadline.remaining(callMs));
  const vectorStoreId = sealVectorStoreId(secret, created.vectorStoreId);
  const stored = { projectId, vectorStoreId, createdAt: new Date(), requestHash };
  try {
    await vectorStores.add(stored);
  } catch (error) {
    void undoCreate(services, stored, created.vectorStoreId);
    throw error;
  }
  return { ...created, vectorStoreId };
}

/** Finds the vector store that the same request has just created; undefined if equal requests have created several. */
async function findRecent(
  { vectorStores }: VectorStoreServices,
  projectId: string,
  requestHash: string,
): Promise<StoredVectorStore | undefined> {
  const { rows } = await vectorStores.list(projectId, { order: 'desc', limit: recentStores });
  const since = Date.now() - repetitionMs;
  const [found, ...others] = rows.filter(
    (row) => row.requestHash === requestHash && row.createdAt.getTime() >= since,
  );
  return others.length === 0 ? found : undefined;
}

/** Removes a vector store that nobody knows. */
const undoCreate = (
  { workerStores, engineVectorStores, log }: VectorStoreServices,
  stored: StoredVectorStore,
  storeId: string,
) =>
  undo({ event: 'vector_store_not_undone', projectId: stored.projectId }, log, (timeoutMs) => [
    workerStores.vectorStores.remove(stored),
    engineVectorStores.remove(storeId, timeoutMs).catch(ignoreMissing),
  ]);

/**
 * Finds files of a project, and returns the engine's ids.
 * @throws {AppError} file_not_found when one of them is not, or no longer, a file of the project.
 */
export const findEngineFiles = (
  { files }: FileServices,
  projectId: string,
  fileIds: readonly string[],
): Promise<string[]> =>
  lookUp(fileIds, async (fileId) => {
    const file = await files.find({ projectId, fileId });
    if (!file) throw new AppError('file_not_found', { fileId });
    return file.engineFileId;
  });

/**
 * Returns the engine's id of a vector store. Whether the engine still has it, only the engine knows.
 * @throws {AppError} vector_store_not_found for an id that is not of the project.
 */
export async function openVectorStore(
  { fileSecrets }: Pick<VectorStoreServices, 'fileSecrets'>,
  { projectId, vectorStoreId }: VectorStoreKey,
): Promise<OpenVectorStore> {
  const secret = await fileSecrets.find(projectId);
  const isOwn = isVectorStoreId(vectorStoreId) && secret !== undefined;
  const storeId = isOwn ? openVectorStoreId(secret, vectorStoreId) : undefined;
  if (secret === undefined || storeId === undefined) throw new AppError('vector_store_not_found');
  return { storeId, secret };
}

/**
 * Returns a vector store.
 * @throws {AppError} vector_store_not_found, rate_limited, unavailable, internal_error.
 */
export async function readVectorStore(
  services: VectorStoreServices,
  vectorStoreKey: VectorStoreKey,
): Promise<VectorStore> {
  const { storeId } = await openVectorStore(services, vectorStoreKey);
  const found = await services.engineVectorStores.find(storeId, services.deadline.remaining(callMs));
  return { ...found, vectorStoreId: vectorStoreKey.vectorStoreId };
}

/** Parameters of a page of vector stores. At most one of `after` and `before` is set. */
export interface VectorStorePageRequest {
  readonly limit: number;
  /** `desc` for newest first. */
  readonly order: 'asc' | 'desc';
  readonly after: string | undefined;
  readonly before: string | undefined;
}

/**
 * Returns a page of a project's vector stores, without those that the engine no longer has. Each is read from the engine.
 * @throws {AppError} invalid_request for a cursor that is no id of the project; rate_limited, unavailable, internal_error.
 */
export async function listVectorStores(
  services: VectorStoreServices,
  projectId: string,
  { limit, order, after, before }: VectorStorePageRequest,
): Promise<{ readonly items: readonly VectorStore[]; readonly hasMore: boolean }> {
  const { vectorStores, fileSecrets } = services;
  const secret = await fileSecrets.find(projectId);
  const isOwn = (id: string) =>
    isVectorStoreId(id) && secret !== undefined && openVectorStoreId(secret, id) !== undefined;
  const start = await findCursor(
    after ?? before,
    async (vectorStoreId) =>
      isOwn(vectorStoreId) ? vectorStores.find({ projectId, vectorStoreId }) : undefined,
    async (vectorStoreId) => isOwn(vectorStoreId),
  );
  // A page before a vector store is read in the opposite order.
  const backwards = before !== undefined;
  const opposite = order === 'asc' ? 'desc' : 'asc';
  const { items, hasMore } = await listKnown(limit, start, {
    read: (rows, last) =>
      vectorStores.list(projectId, { limit: rows, order: backwards ? opposite : order, after: last }),
    describe: (stored) => readVectorStore(services, stored).catch(ignoreMissing),
  });
  return { items: backwards ? items.toReversed() : items, hasMore };
}

/**
 * Changes a vector store.
 * @throws {AppError} vector_store_not_found, invalid_request, rate_limited, unavailable, internal_error.
 */
export async function updateVectorStore(
  services: VectorStoreServices,
  vectorStoreKey: VectorStoreKey,
  changes: VectorStoreChanges,
): Promise<VectorStore> {
  const { storeId } = await openVectorStore(services, vectorStoreKey);
  const timeoutMs = services.deadline.remaining(callMs);
  const updated = await services.engineVectorStores.update(storeId, changes, timeoutMs);
  return { ...updated, vectorStoreId: vectorStoreKey.vectorStoreId };
}

/**
 * Deletes a vector store, but not its files. If a step fails, another call completes the deletion.
 * @throws {AppError} vector_store_not_found, rate_limited, unavailable, internal_error.
 */
export async function deleteVectorStore(
  services: VectorStoreServices,
  vectorStoreKey: VectorStoreKey,
): Promise<void> {
  const { vectorStores, engineVectorStores, deadline } = services;
  const { storeId } = await openVectorStore(services, vectorStoreKey);
  const stored = await vectorStores.find(vectorStoreKey);
  // One that was created for attachments has no record.
  const removed = engineVectorStores.remove(storeId, deadline.remaining(callMs));
  await (stored ? removed.catch(ignoreMissing) : removed);
  if (stored) await vectorStores.remove(stored);
}

/**
 * Searches a vector store.
 * @throws {AppError} vector_store_not_found, invalid_request, rate_limited, unavailable, internal_error.
 */
export async function searchVectorStore(
  services: VectorStoreServices,
  vectorStoreKey: VectorStoreKey,
  search: SearchRequest,
): Promise<SearchResults> {
  const { storeId, secret } = await openVectorStore(services, vectorStoreKey);
  const timeoutMs = services.deadline.remaining(searchMs);
  const { queries, results } = await services.engineVectorStores.search(storeId, search, timeoutMs);
  return {
    queries,
    results: results.map((result) => ({ ...result, fileId: sealFileId(secret, result.fileId) })),
  };
}

/** Timeout of a search, in milliseconds: the engine may have a model rewrite the query. */
const searchMs = 20_000;
