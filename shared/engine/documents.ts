import type OpenAI from 'openai';
import { AppError } from '../errors.ts';
import type { DocumentErrorCode, ProjectDocument } from '../model/document.ts';
import type { EngineClient } from './client.ts';

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
 * Client of the engine's vector stores. What the service knows of a document is kept with it as attributes, so the list of
 * documents is what runs search, and never something else. Every call is sent once.
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

export function createEngineDocuments({ call }: EngineClient): EngineDocuments {
  const missing = 'document_not_found';
  return {
    createStore: (projectId, timeoutMs) =>
      call(timeoutMs, async (openai, options) => {
        const params = { name: 'Documents of a project', metadata: { projectId } };
        return (await openai.vectorStores.create(params, options)).id;
      }),

    removeStore: (vectorStoreId, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) => void (await openai.vectorStores.delete(vectorStoreId, options)),
        missing,
      ),

    add: (vectorStoreId, { engineFileId, name, bytes, mediaType, createdAt, fingerprint }, timeoutMs) => {
      const attributes = { name, bytes, mediaType, createdAt: createdAt.getTime(), fingerprint };
      return call(
        timeoutMs,
        async (openai, options) =>
          void (await openai.vectorStores.files.create(
            vectorStoreId,
            { file_id: engineFileId, attributes },
            options,
          )),
        missing,
      ).catch(refuseType);
    },

    list: (vectorStoreId, { limit, after }, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) => {
          const params = { limit, order: 'desc' as const, ...(after !== undefined && { after }) };
          const page = await openai.vectorStores.files.list(vectorStoreId, params, options);
          return {
            documents: page.data.map(toDocument),
            hasMore: page.has_more,
            lastId: page.data.at(-1)?.id,
          };
        },
        missing,
      ),

    find: (vectorStoreId, engineFileId, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) =>
          toDocument(
            await openai.vectorStores.files.retrieve(
              engineFileId,
              { vector_store_id: vectorStoreId },
              options,
            ),
          ),
        missing,
      ),

    remove: (vectorStoreId, engineFileId, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) =>
          void (await openai.vectorStores.files.delete(
            engineFileId,
            { vector_store_id: vectorStoreId },
            options,
          )),
        missing,
      ),
  };
}

/** A refused file is one that the engine cannot index. */
function refuseType(error: AppError): never {
  const { status } = (error.options.cause ?? {}) as { status?: number };
  throw status === 400 ? new AppError('unsupported_media_type', { cause: error.options.cause }) : error;
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

function toDocument(file: OpenAI.VectorStores.VectorStoreFile): EngineDocument {
  const { name, bytes, mediaType, createdAt, fingerprint } = file.attributes ?? {};
  const status = statuses[file.status] ?? 'failed';
  return {
    engineFileId: file.id,
    // A file that somebody added past the service has no attributes.
    name: String(name ?? ''),
    bytes: Number(bytes ?? file.usage_bytes),
    mediaType: String(mediaType ?? 'application/octet-stream'),
    status,
    ...(status === 'failed' && { errorCode: errorCodes[file.last_error?.code ?? ''] ?? 'engine_error' }),
    createdAt: new Date(Number(createdAt ?? file.created_at * 1000)),
    fingerprint: String(fingerprint ?? ''),
  };
}
