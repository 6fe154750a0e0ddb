import { AppError, type ErrorCode } from '../errors.ts';
import type { DocumentErrorCode, ProjectDocument } from '../model/document.ts';
import type { VectorStoreFile } from '../model/vectorStore.ts';
import type { EngineClient } from './client.ts';
import { createEngineVectorStores } from './vectorStores.ts';

/** A document, by the engine's id of its file. */
export interface EngineDocument extends Omit<ProjectDocument, 'documentId'> {
  readonly engineFileId: string;
}

export interface EngineDocumentPage {
  readonly documents: readonly EngineDocument[];
  readonly hasMore: boolean;
  /** The engine's id of the last file read, also if it is none of the service's documents. */
  readonly lastId: string | undefined;
}

/**
 * Client of the engine's vector stores of documents. What the service knows of a document is kept with it as attributes, so
 * the list of documents is what runs search, and never something else. Every call is sent once.
 * Throws an {@link AppError}: `rate_limited`, `unavailable`, `internal_error`, or `document_not_found` for an unknown
 * vector store or document.
 */
export interface EngineDocuments {
  /** Creates a vector store. */
  createStore(projectId: string, timeoutMs: number): Promise<string>;
  removeStore(vectorStoreId: string, timeoutMs: number): Promise<void>;
  /**
   * Adds an uploaded file to a vector store, which then indexes it.
   * @throws {AppError} also unsupported_media_type, when the engine refuses the file.
   */
  add(vectorStoreId: string, document: Omit<EngineDocument, 'status'>, timeoutMs: number): Promise<void>;
  /** Returns a page of documents, newest first. @param page `after` is the engine's id of a file. */
  list(
    vectorStoreId: string,
    page: { readonly limit: number; readonly after: string | undefined },
    timeoutMs: number,
  ): Promise<EngineDocumentPage>;
  find(vectorStoreId: string, engineFileId: string, timeoutMs: number): Promise<EngineDocument>;
  /** Makes a document unsearchable; its file stays. */
  remove(vectorStoreId: string, engineFileId: string, timeoutMs: number): Promise<void>;
}

export function createEngineDocuments(client: EngineClient): EngineDocuments {
  const stores = createEngineVectorStores(client);
  return {
    async createStore(projectId, timeoutMs) {
      const store = { name: 'Documents of a project', metadata: { projectId }, fileIds: [] };
      return (await stores.create(store, timeoutMs).catch(translate)).vectorStoreId;
    },

    removeStore: (vectorStoreId, timeoutMs) => stores.remove(vectorStoreId, timeoutMs).catch(translate),

    async add(vectorStoreId, document, timeoutMs) {
      const { engineFileId, name, bytes, mediaType, createdAt, fingerprint } = document;
      const attributes = { name, bytes, mediaType, createdAt: createdAt.getTime(), fingerprint };
      const file = { fileId: engineFileId, attributes };
      // A refused file is one that the engine cannot index.
      await stores
        .addFile(vectorStoreId, file, timeoutMs)
        .catch((error) => translate(error, 'unsupported_media_type'));
    },

    async list(vectorStoreId, page, timeoutMs) {
      const { files, hasMore } = await stores
        .listFiles(vectorStoreId, { ...page, order: 'desc' }, timeoutMs)
        .catch(translate);
      return { documents: files.map(toDocument), hasMore, lastId: files.at(-1)?.fileId };
    },

    find: async (vectorStoreId, engineFileId, timeoutMs) =>
      toDocument(await stores.findFile(vectorStoreId, engineFileId, timeoutMs).catch(translate)),

    remove: (vectorStoreId, engineFileId, timeoutMs) =>
      stores.removeFile(vectorStoreId, engineFileId, timeoutMs).catch(translate),
  };
}

/** Translates an error of a vector store. @param refused code for a request that the engine refused. */
function translate(error: AppError, refused: ErrorCode = 'internal_error'): never {
  const { cause } = error.options;
  switch (error.code) {
    case 'vector_store_not_found':
    case 'file_not_found':
      throw new AppError('document_not_found', { cause });
    case 'invalid_request':
      throw new AppError(refused, { cause });
    default:
      throw error;
  }
}

const statuses = {
  in_progress: 'indexing',
  completed: 'ready',
  failed: 'failed',
  cancelled: 'failed',
} as const;

const errorCodes: Readonly<Record<string, DocumentErrorCode>> = {
  unsupported_file: 'unsupported_document',
  invalid_file: 'invalid_document',
};

function toDocument(file: VectorStoreFile): EngineDocument {
  const { name, bytes, mediaType, createdAt, fingerprint } = file.attributes ?? {};
  const status = statuses[file.status] ?? 'failed';
  return {
    engineFileId: file.fileId,
    // A file that somebody added past the service has no attributes.
    name: String(name ?? ''),
    bytes: Number(bytes ?? file.usageBytes),
    mediaType: String(mediaType ?? 'application/octet-stream'),
    status,
    ...(status === 'failed' && { errorCode: errorCodes[file.errorCode ?? ''] ?? 'engine_error' }),
    createdAt: new Date(Number(createdAt ?? file.createdAt)),
    fingerprint: String(fingerprint ?? ''),
  };
}
