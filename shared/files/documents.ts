import { createHmac, type Hmac } from 'node:crypto';
import type { EngineDocument, EngineDocuments } from '../engine/documents.ts';
import { AppError, fieldError, hasCode } from '../errors.ts';
import { openDocumentId, type ProjectDocument, sealDocumentId } from '../model/document.ts';
import { type FileContent, isImage, type Upload } from '../model/file.ts';
import type { Page, PageRequest } from '../model/page.ts';
import { acceptContent } from './acceptContent.ts';
import type { FileServices } from './fileServices.ts';
import { ignoreMissing, unknownCursor } from './listKnown.ts';

/** The vector stores of projects' documents. */
export interface DocumentStores {
  find(projectId: string): Promise<string | undefined>;
  /** Records a vector store, unless the project has one. @returns the recorded one. */
  add(projectId: string, vectorStoreId: string): Promise<string>;
}

/** Dependencies of the operations on documents. */
export interface DocumentServices
  extends Pick<FileServices, 'fileSecrets' | 'engineFiles' | 'deadline' | 'log'> {
  readonly engineDocuments: EngineDocuments;
  readonly documentStores: DocumentStores;
}

/** Timeout of a call of the engine, in milliseconds. */
const callMs = 10_000;

/**
 * Adds a document to a project: passes it on to the engine while it arrives, and has it indexed. The first one creates
 * the project's vector store.
 * @param signal aborts when the client disconnects; the document is then removed again.
 * @throws {AppError} invalid_request, unsupported_media_type, file_too_large, rate_limited, unavailable,
 * internal_error; the document then does not exist. Also what the content throws.
 */
export async function addDocument(
  services: DocumentServices,
  projectId: string,
  upload: Upload,
  signal: AbortSignal,
): Promise<ProjectDocument> {
  const { fileSecrets, engineFiles, engineDocuments, deadline } = services;
  const startedAt = performance.now();
  const secret = await fileSecrets.open(projectId);
  const accepted = await acceptContent(upload);
  // Engines index text only.
  if (isImage(accepted.mediaType)) throw new AppError('unsupported_media_type');
  const hash = createFingerprint(secret);
  const content = hashed(accepted.content, hash);
  const engineFileId = await engineFiles.upload({ ...accepted, content }, 'document');
  // The client's own time, which it may take.
  deadline.extend(performance.now() - startedAt);
  const document = {
    engineFileId,
    name: accepted.name,
    bytes: accepted.bytes(),
    mediaType: accepted.mediaType,
    createdAt: new Date(),
    fingerprint: hash.digest('base64url'),
  };
  try {
    const vectorStoreId = await openStore(services, projectId);
    await engineDocuments.add(vectorStoreId, document, deadline.remaining(callMs));
    if (signal.aborted) throw fieldError('$', 'The request ended before its response.');
  } catch (error) {
    // Also removes it from the vector store.
    await removeFile(services, engineFileId).catch(() =>
      services.log({ event: 'document_not_undone', projectId }),
    );
    // A vector store that is gone is a matter of the operator.
    if (hasCode(error, 'document_not_found')) {
      throw new AppError('internal_error', { cause: error });
    }
    throw error;
  }
  return toDocument(secret, { ...document, status: 'indexing' });
}

/** Returns the hash with which a project's documents are compared. */
export const createFingerprint = (projectSecret: string): Hmac => createHmac('sha256', projectSecret);

async function* hashed(content: FileContent, hash: Hmac): FileContent {
  for await (const piece of content) {
    hash.update(piece);
    yield piece;
  }
}

/** Returns the vector store of a project, created on first use. */
async function openStore(
  { documentStores, engineDocuments, deadline }: DocumentServices,
  projectId: string,
): Promise<string> {
  const known = await documentStores.find(projectId);
  if (known !== undefined) return known;
  const created = await engineDocuments.createStore(projectId, deadline.remaining(callMs));
  const recorded = await documentStores.add(projectId, created);
  // Another request was first, and this one is empty.
  if (recorded !== created) {
    await engineDocuments.removeStore(created, deadline.remaining(callMs)).catch(() => undefined);
  }
  return recorded;
}

/**
 * Returns a page of a project's documents, newest first.
 * @throws {AppError} invalid_request when `after` is no document of the project; rate_limited, unavailable,
 * internal_error.
 */
export async function listDocuments(
  { documentStores, engineDocuments, fileSecrets, deadline }: DocumentServices,
  projectId: string,
  { limit, after }: PageRequest,
): Promise<Page<ProjectDocument>> {
  const [vectorStoreId, secret] = await Promise.all([
    documentStores.find(projectId),
    fileSecrets.find(projectId),
  ]);
  const afterId = after && secret && openDocumentId(secret, after);
  if (after !== undefined && !afterId) {
    throw unknownCursor();
  }
  if (vectorStoreId === undefined || secret === undefined) {
    return { items: [], hasMore: false, lastId: undefined };
  }
  const page = await engineDocuments.list(
    vectorStoreId,
    { limit, after: afterId || undefined },
    deadline.remaining(callMs),
  );
  return {
    items: page.documents.map((document) => toDocument(secret, document)),
    hasMore: page.hasMore,
    lastId: page.lastId && sealDocumentId(secret, page.lastId),
  };
}

/**
 * Deletes a document. Runs that start afterwards do not find it. If a step fails, another call completes the deletion.
 * @throws {AppError} document_not_found, rate_limited, unavailable, internal_error.
 */
export async function deleteDocument(
  services: DocumentServices,
  projectId: string,
  documentId: string,
): Promise<void> {
  const { documentStores, engineDocuments, fileSecrets, deadline } = services;
  const [vectorStoreId, secret] = await Promise.all([
    documentStores.find(projectId),
    fileSecrets.find(projectId),
  ]);
  const engineFileId = secret && openDocumentId(secret, documentId);
  if (!engineFileId || vectorStoreId === undefined) throw new AppError('document_not_found');
  // Also proves that it is a document.
  await engineDocuments.find(vectorStoreId, engineFileId, deadline.remaining(callMs));
  // The file first: without it nothing is left to find, and the entry still leads here if this fails.
  await removeFile(services, engineFileId);
  await engineDocuments.remove(vectorStoreId, engineFileId, deadline.remaining(callMs)).catch(ignoreMissing);
}

const removeFile = ({ engineFiles, deadline }: DocumentServices, engineFileId: string) =>
  engineFiles.remove(engineFileId, deadline.remaining(callMs)).catch(ignoreMissing);

const toDocument = (secret: string, { engineFileId, ...document }: EngineDocument): ProjectDocument => ({
  documentId: sealDocumentId(secret, engineFileId),
  ...document,
});
