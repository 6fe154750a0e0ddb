import { hasCode } from '../../errors.ts';
import {
  addFileBatch,
  addStoreFile,
  type BatchKey,
  listBatchFiles,
  listStoreFiles,
  readFileBatch,
  readStoreFile,
  readStoreFileText,
  removeStoreFile,
  type StoreFileKey,
  setStoreFileAttributes,
  cancelFileBatch as stopFileBatch,
} from '../../files/vectorStoreFiles.ts';
import { jsonResponse } from '../../http/responses.ts';
import type { FileBatch, StoreFilePageRequest, VectorStoreFile } from '../../model/vectorStore.ts';
import { readBody } from '../body.ts';
import { type Call, type Handler, ignoreDeleted, pollHeaders, vectorStoreKeyOf } from '../call.ts';
import { failCursor, onlyPage, parseList, rejectUnknown, toList } from '../query.ts';
import { object, oneOf } from '../readers.ts';
import { toWireFileBatch, toWireVectorStoreFile } from '../vectorStoreObject.ts';
import { readAttributesBody, readNewFileBatch, readNewVectorStoreFile } from '../vectorStoreParams.ts';
import type { WireFileContent, WireVectorStoreFileDeleted } from '../wire.ts';
import { WireError } from '../wireError.ts';

/** Adds a file of the project to a vector store. */
export const createVectorStoreFile: Handler = async (call) => {
  const key = vectorStoreKeyOf(call);
  rejectUnknown(call.request.query, []);
  const file = await readBody(call.request, readNewVectorStoreFile);
  return respond(call, await addStoreFile(call.context, key, file));
};

/** Lists the files of a vector store. */
export const listVectorStoreFiles: Handler = async (call) => {
  const key = vectorStoreKeyOf(call);
  return respondWithPage(call, (page) => listStoreFiles(call.context, key, page));
};

/** Returns a file of a vector store. */
export const retrieveVectorStoreFile: Handler = async (call) => {
  const key = storeFileKeyOf(call);
  rejectUnknown(call.request.query, []);
  return respond(call, await readStoreFile(call.context, key).catch(failFile(key)));
};

/** Replaces the attributes of a file in a vector store. */
export const updateVectorStoreFile: Handler = async (call) => {
  const key = storeFileKeyOf(call);
  rejectUnknown(call.request.query, []);
  const { attributes } = await readBody(call.request, readAttributesBody);
  return respond(call, await setStoreFileAttributes(call.context, key, attributes).catch(failFile(key)));
};

/** Removes a file from a vector store. The file itself stays. */
export const deleteVectorStoreFile: Handler = async (call) => {
  const key = storeFileKeyOf(call);
  rejectUnknown(call.request.query, []);
  await removeStoreFile(call.context, key).catch(failFile(key)).catch(ignoreDeleted(call));
  const body: WireVectorStoreFileDeleted = {
    id: key.fileId,
    object: 'vector_store.file.deleted',
    deleted: true,
  };
  return jsonResponse(200, body);
};

/** Returns the text of a file in a vector store. */
export const retrieveVectorStoreFileContent: Handler = async (call) => {
  const key = storeFileKeyOf(call);
  rejectUnknown(call.request.query, []);
  const texts = await readStoreFileText(call.context, key).catch(failFile(key));
  const data = texts.map((text): WireFileContent => ({ type: 'text', text }));
  return jsonResponse(200, { object: 'vector_store.file_content.page', ...onlyPage(data) });
};

/** Adds files of the project to a vector store. */
export const createFileBatch: Handler = async (call) => {
  const key = vectorStoreKeyOf(call);
  rejectUnknown(call.request.query, []);
  const batch = await readBody(call.request, readNewFileBatch);
  return respondWithBatch(call, await addFileBatch(call.context, key, batch));
};

/** Returns a batch of files. */
export const retrieveFileBatch: Handler = async (call) => {
  const key = batchKeyOf(call);
  rejectUnknown(call.request.query, []);
  return respondWithBatch(call, await readFileBatch(call.context, key).catch(failBatch(key)));
};

/** Stops the indexing of a batch of files. */
export const cancelFileBatch: Handler = async (call) => {
  const key = batchKeyOf(call);
  rejectUnknown(call.request.query, []);
  await readBody(call.request, object({}));
  return respondWithBatch(call, await stopFileBatch(call.context, key).catch(failBatch(key)));
};

/** Lists the files of a batch. */
export const listFileBatchFiles: Handler = async (call) => {
  const key = batchKeyOf(call);
  return respondWithPage(call, (page) => listBatchFiles(call.context, key, page).catch(failBatch(key)));
};

const storeFileKeyOf = (call: Call): StoreFileKey => ({
  ...vectorStoreKeyOf(call),
  fileId: call.params.fileId ?? '',
});

const batchKeyOf = (call: Call): BatchKey => ({
  ...vectorStoreKeyOf(call),
  batchId: call.params.batchId ?? '',
});

const respond = ({ params: { vectorStoreId = '' } }: Call, file: VectorStoreFile) =>
  jsonResponse(200, toWireVectorStoreFile(vectorStoreId, file), pollHeaders);

const respondWithBatch = ({ params: { vectorStoreId = '' } }: Call, batch: FileBatch) =>
  jsonResponse(200, toWireFileBatch(vectorStoreId, batch), pollHeaders);

const readFilter = oneOf('in_progress', 'completed', 'failed', 'cancelled');

async function respondWithPage(
  { request, params: { vectorStoreId = '' } }: Call,
  read: (
    page: StoreFilePageRequest,
  ) => Promise<{ readonly files: readonly VectorStoreFile[]; readonly hasMore: boolean }>,
) {
  const page = parseList(request, ['filter']);
  const filter = request.query.get('filter');
  const status = filter === null ? undefined : readFilter(filter, 'filter');
  const { files, hasMore } = await read({ ...page, status }).catch(failCursor(page));
  return jsonResponse(
    200,
    toList(
      files.map((file) => toWireVectorStoreFile(vectorStoreId, file)),
      hasMore,
    ),
  );
}

/** Creates the 404 for what is not in a vector store, in the words of the original. */
const failWith =
  (message: string) =>
  (error: unknown): never => {
    const isMissing = hasCode(error, 'file_not_found');
    throw isMissing ? new WireError('file_not_found', { message }) : error;
  };

const failFile = ({ fileId, vectorStoreId }: StoreFileKey) =>
  failWith(`No file found with id '${fileId.slice(0, 512)}' in vector store '${vectorStoreId}'.`);

const failBatch = ({ batchId }: BatchKey) =>
  failWith(`No file batch found with id '${batchId.slice(0, 512)}'.`);
