import type { ProjectDocument } from '../model/document.ts';

/** Returns a document for a response body. */
export const toDocumentBody = (projectId: string, document: ProjectDocument) => ({
  documentId: document.documentId,
  projectId,
  name: document.name,
  bytes: document.bytes,
  mediaType: document.mediaType,
  status: document.status,
  ...(document.errorCode !== undefined && { errorCode: document.errorCode }),
  createdAt: document.createdAt.toISOString(),
});
