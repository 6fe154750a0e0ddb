import type { FileBatch, VectorStore, VectorStoreFile } from '../model/vectorStore.ts';
import { toUnixSeconds, type WireFileBatch, type WireVectorStore, type WireVectorStoreFile } from './wire.ts';

const toOptionalSeconds = (date: Date | undefined) => (date ? toUnixSeconds(date) : null);

/** Returns a vector store as the original sends it. */
export const toWireVectorStore = (store: VectorStore): WireVectorStore => ({
  id: store.vectorStoreId,
  object: 'vector_store',
  created_at: toUnixSeconds(store.createdAt),
  name: store.name,
  usage_bytes: store.usageBytes,
  file_counts: store.counts,
  status: store.status,
  ...(store.expiryDays !== undefined && {
    expires_after: { anchor: 'last_active_at', days: store.expiryDays },
  }),
  expires_at: toOptionalSeconds(store.expiresAt),
  last_active_at: toOptionalSeconds(store.lastActiveAt),
  metadata: store.metadata,
});

/** The engine's own words could quote the file. */
const errorMessages = {
  server_error: 'The file could not be indexed.',
  unsupported_file: 'Files of this type cannot be searched.',
  invalid_file: 'The file could not be read.',
} as const;

/** Returns a file of a vector store as the original sends it. */
export const toWireVectorStoreFile = (
  vectorStoreId: string,
  { fileId, status, errorCode, chunking, ...file }: VectorStoreFile,
): WireVectorStoreFile => ({
  id: fileId,
  object: 'vector_store.file',
  created_at: toUnixSeconds(file.createdAt),
  vector_store_id: vectorStoreId,
  usage_bytes: file.usageBytes,
  status,
  last_error: errorCode ? { code: errorCode, message: errorMessages[errorCode] } : null,
  attributes: file.attributes,
  chunking_strategy: chunking
    ? {
        type: 'static',
        static: {
          max_chunk_size_tokens: chunking.maxTokens,
          chunk_overlap_tokens: chunking.overlapTokens,
        },
      }
    : { type: 'other' },
});

/** Returns a batch of files as the original sends it. */
export const toWireFileBatch = (
  vectorStoreId: string,
  { batchId, status, counts, createdAt }: FileBatch,
): WireFileBatch => ({
  id: batchId,
  object: 'vector_store.files_batch',
  created_at: toUnixSeconds(createdAt),
  vector_store_id: vectorStoreId,
  status,
  file_counts: counts,
});
