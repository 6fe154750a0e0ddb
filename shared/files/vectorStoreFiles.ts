import type { StoreFilePage } from '../engine/vectorStores.ts';
import { AppError, hasCode } from '../errors.ts';
import { openFileId, sealFileId } from '../model/fileId.ts';
import type {
  Attributes,
  FileBatch,
  NewFileBatch,
  NewVectorStoreFile,
  StoreFilePageRequest,
  VectorStoreFile,
  VectorStoreKey,
} from '../model/vectorStore.ts';
import { openBatchId, sealBatchId } from '../model/vectorStoreId.ts';
import { unknownCursor } from './listKnown.ts';
import { callMs, findEngineFiles, openVectorStore, type VectorStoreServices } from './vectorStores.ts';

/*
 * Files of vector stores. Only files that the project has are added. Those that are there are known by their ids: the
 * engine may keep an entry for a file that has been deleted since, and whoever lists it can remove it.
 * All operations throw an `AppError`: vector_store_not_found, rate_limited, unavailable, internal_error; file_not_found for
 * a file or a batch that is not in the vector store; those that change something invalid_request.
 */

/** Identifies a file of a vector store. */
export interface StoreFileKey extends VectorStoreKey {
  readonly fileId: string;
}

/** Identifies a batch of files of a vector store. */
export interface BatchKey extends VectorStoreKey {
  readonly batchId: string;
}

/** Adds a file to a vector store; again, which changes its settings, if it is there. */
export async function addStoreFile(
  services: VectorStoreServices,
  vectorStoreKey: VectorStoreKey,
  file: NewVectorStoreFile,
): Promise<VectorStoreFile> {
  const { storeId } = await openVectorStore(services, vectorStoreKey);
  const { fileId } = file;
  const [engineFileId = ''] = await findEngineFiles(services, vectorStoreKey.projectId, [fileId]);
  const added = await services.engineVectorStores
    .addFile(storeId, { ...file, fileId: engineFileId }, services.deadline.remaining(callMs))
    .catch((error) => {
      const isLost = hasCode(error, 'file_not_found');
      throw isLost ? new AppError('file_not_found', { fileId, cause: error }) : error;
    });
  return { ...added, fileId };
}

/**
 * Returns a page of the files of a vector store.
 * @throws {AppError} also invalid_request for a cursor that is no file of the project.
 */
export async function listStoreFiles(
  services: VectorStoreServices,
  vectorStoreKey: VectorStoreKey,
  page: StoreFilePageRequest,
): Promise<StoreFilePage> {
  const { storeId, secret } = await openVectorStore(services, vectorStoreKey);
  const { engineVectorStores, deadline } = services;
  return readPage(secret, page, (opened) =>
    engineVectorStores.listFiles(storeId, opened, deadline.remaining(callMs)),
  );
}

/** Returns a file of a vector store. */
export async function readStoreFile(
  services: VectorStoreServices,
  key: StoreFileKey,
): Promise<VectorStoreFile> {
  const { storeId, engineFileId } = await openStoreFile(services, key);
  const timeoutMs = services.deadline.remaining(callMs);
  const found = await services.engineVectorStores.findFile(storeId, engineFileId, timeoutMs);
  return { ...found, fileId: key.fileId };
}

/** Replaces the attributes of a file. */
export async function setStoreFileAttributes(
  services: VectorStoreServices,
  key: StoreFileKey,
  attributes: Attributes | null,
): Promise<VectorStoreFile> {
  const { storeId, engineFileId } = await openStoreFile(services, key);
  const timeoutMs = services.deadline.remaining(callMs);
  const { setAttributes } = services.engineVectorStores;
  const changed = await setAttributes(storeId, engineFileId, attributes, timeoutMs);
  return { ...changed, fileId: key.fileId };
}

/** Removes a file from a vector store; the file itself stays. */
export async function removeStoreFile(services: VectorStoreServices, key: StoreFileKey): Promise<void> {
  const { storeId, engineFileId } = await openStoreFile(services, key);
  await services.engineVectorStores.removeFile(storeId, engineFileId, services.deadline.remaining(callMs));
}

/** Returns the text of a file as the engine has read it, in parts. */
export async function readStoreFileText(
  services: VectorStoreServices,
  key: StoreFileKey,
): Promise<readonly string[]> {
  const { storeId, engineFileId } = await openStoreFile(services, key);
  return services.engineVectorStores.readFile(storeId, engineFileId, services.deadline.remaining(callMs));
}

/** Adds files to a vector store together. */
export async function addFileBatch(
  services: VectorStoreServices,
  vectorStoreKey: VectorStoreKey,
  batch: NewFileBatch,
): Promise<FileBatch> {
  const { storeId, secret } = await openVectorStore(services, vectorStoreKey);
  const fileIds = 'files' in batch ? batch.files.map(({ fileId }) => fileId) : batch.fileIds;
  const found = await findEngineFiles(services, vectorStoreKey.projectId, fileIds);
  const opened =
    'files' in batch
      ? { files: batch.files.map((file, index) => ({ ...file, fileId: found[index] ?? '' })) }
      : { ...batch, fileIds: found };
  const timeoutMs = services.deadline.remaining(callMs);
  return sealBatch(secret, services.engineVectorStores.addBatch(storeId, opened, timeoutMs));
}

/** Returns a batch of files. */
export async function readFileBatch(services: VectorStoreServices, key: BatchKey): Promise<FileBatch> {
  const { storeId, secret, engineBatchId } = await openBatch(services, key);
  const timeoutMs = services.deadline.remaining(callMs);
  return sealBatch(secret, services.engineVectorStores.findBatch(storeId, engineBatchId, timeoutMs));
}

/** Stops the indexing of a batch. Files that are indexed stay. */
export async function cancelFileBatch(services: VectorStoreServices, key: BatchKey): Promise<FileBatch> {
  const { storeId, secret, engineBatchId } = await openBatch(services, key);
  const timeoutMs = services.deadline.remaining(callMs);
  return sealBatch(secret, services.engineVectorStores.cancelBatch(storeId, engineBatchId, timeoutMs));
}

/** Returns a page of the files of a batch. @throws {AppError} as {@link listStoreFiles}. */
export async function listBatchFiles(
  services: VectorStoreServices,
  key: BatchKey,
  page: StoreFilePageRequest,
): Promise<StoreFilePage> {
  const { storeId, secret, engineBatchId } = await openBatch(services, key);
  const { engineVectorStores, deadline } = services;
  return readPage(secret, page, (opened) =>
    engineVectorStores.listBatchFiles(storeId, engineBatchId, opened, deadline.remaining(callMs)),
  );
}

async function openStoreFile(services: VectorStoreServices, { fileId, ...key }: StoreFileKey) {
  const { storeId, secret } = await openVectorStore(services, key);
  const engineFileId = openFileId(secret, fileId);
  if (engineFileId === undefined) throw new AppError('file_not_found');
  return { storeId, engineFileId };
}

async function openBatch(services: VectorStoreServices, { batchId, ...key }: BatchKey) {
  const { storeId, secret } = await openVectorStore(services, key);
  const engineBatchId = openBatchId(secret, batchId);
  if (engineBatchId === undefined) throw new AppError('file_not_found');
  return { storeId, secret, engineBatchId };
}

function openCursors(secret: string, page: StoreFilePageRequest): StoreFilePageRequest {
  const open = (id: string | undefined) => {
    const engineFileId = id === undefined ? undefined : openFileId(secret, id);
    if (id !== undefined && engineFileId === undefined) throw unknownCursor();
    return engineFileId;
  };
  return { ...page, after: open(page.after), before: open(page.before) };
}

/**
 * Reads a page of files from the engine. After a file that has been removed since, which the engine no longer knows, the list
 * begins again, so that a client can remove what it lists.
 */
async function readPage(
  secret: string,
  page: StoreFilePageRequest,
  read: (opened: StoreFilePageRequest) => Promise<StoreFilePage>,
): Promise<StoreFilePage> {
  const opened = openCursors(secret, page);
  const { files, hasMore } = await read(opened).catch((error) => {
    // How engines refuse a cursor that they do not know.
    const isUnknown = hasCode(error, 'invalid_request', 'file_not_found');
    if (!isUnknown || opened.after === undefined) throw error;
    return read({ ...opened, after: undefined });
  });
  return { files: files.map((file) => ({ ...file, fileId: sealFileId(secret, file.fileId) })), hasMore };
}

const sealBatch = async (secret: string, batch: Promise<FileBatch>): Promise<FileBatch> => {
  const found = await batch;
  return { ...found, batchId: sealBatchId(secret, found.batchId) };
};
