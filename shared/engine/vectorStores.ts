import type OpenAI from 'openai';
import { AppError } from '../errors.ts';
import type {
  Chunking,
  FileBatch,
  FileSettings,
  NewFileBatch,
  NewVectorStore,
  NewVectorStoreFile,
  SearchRequest,
  SearchResult,
  StoreFilePageRequest,
  VectorStore,
  VectorStoreChanges,
  VectorStoreFile,
} from '../model/vectorStore.ts';
import type { EngineClient, Send } from './client.ts';

/** A page of the files of a vector store. */
export interface StoreFilePage {
  readonly files: readonly VectorStoreFile[];
  readonly hasMore: boolean;
}

/** What a search found, and the queries for which it did. */
export interface SearchResults {
  readonly queries: readonly string[];
  readonly results: readonly SearchResult[];
}

/**
 * Client of the engine's vector stores. All ids are the engine's. Every call is sent once.
 * Throws an {@link AppError}: `rate_limited`, `unavailable`, `internal_error`, `vector_store_not_found`, `file_not_found`
 * for an unknown file or batch, or `invalid_request` for what the engine refuses; never with the engine's words.
 */
export interface EngineVectorStores {
  create(store: NewVectorStore, timeoutMs: number): Promise<VectorStore>;
  find(storeId: string, timeoutMs: number): Promise<VectorStore>;
  update(storeId: string, changes: VectorStoreChanges, timeoutMs: number): Promise<VectorStore>;
  /** Removes a vector store; its files stay. */
  remove(storeId: string, timeoutMs: number): Promise<void>;
  search(storeId: string, search: SearchRequest, timeoutMs: number): Promise<SearchResults>;
  /** Adds an uploaded file, which is then indexed; again if it is there already. */
  addFile(storeId: string, file: NewVectorStoreFile, timeoutMs: number): Promise<VectorStoreFile>;
  listFiles(storeId: string, page: StoreFilePageRequest, timeoutMs: number): Promise<StoreFilePage>;
  findFile(storeId: string, fileId: string, timeoutMs: number): Promise<VectorStoreFile>;
  setAttributes(
    storeId: string,
    fileId: string,
    attributes: VectorStoreFile['attributes'],
    timeoutMs: number,
  ): Promise<VectorStoreFile>;
  /** Makes a file unsearchable; the file itself stays. */
  removeFile(storeId: string, fileId: string, timeoutMs: number): Promise<void>;
  /** Returns the text of a file, in parts. */
  readFile(storeId: string, fileId: string, timeoutMs: number): Promise<readonly string[]>;
  addBatch(storeId: string, batch: NewFileBatch, timeoutMs: number): Promise<FileBatch>;
  findBatch(storeId: string, batchId: string, timeoutMs: number): Promise<FileBatch>;
  cancelBatch(storeId: string, batchId: string, timeoutMs: number): Promise<FileBatch>;
  listBatchFiles(
    storeId: string,
    batchId: string,
    page: StoreFilePageRequest,
    timeoutMs: number,
  ): Promise<StoreFilePage>;
}

export function createEngineVectorStores(client: EngineClient): EngineVectorStores {
  /** @param filesParam the parameter with the files that are added. */
  const call = <T>(timeoutMs: number, send: Send<T>, filesParam?: string): Promise<T> =>
    client.call(timeoutMs, send, 'vector_store_not_found').catch((error) => {
      throw toStoreError(error, filesParam);
    });

  return {
    create: (store, timeoutMs) =>
      call(
        timeoutMs,
        async ({ vectorStores }, options) => {
          const { name, description, metadata, expiryDays, fileIds, chunking } = store;
          const params: OpenAI.VectorStoreCreateParams = {
            ...(name !== undefined && { name }),
            ...(description !== undefined && { description }),
            ...(metadata && { metadata }),
            ...(expiryDays !== undefined && { expires_after: toExpiry(expiryDays) }),
            ...(fileIds.length > 0 && { file_ids: [...fileIds] }),
            ...toChunkingParams(chunking),
          };
          return toStore(await vectorStores.create(params, options));
        },
        store.fileIds.length > 0 ? 'file_ids' : undefined,
      ),

    find: (storeId, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) =>
        toStore(await vectorStores.retrieve(storeId, options)),
      ),

    update: (storeId, { name, metadata, expiryDays }, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) => {
        const params: OpenAI.VectorStoreUpdateParams = {
          ...(name !== undefined && { name }),
          ...(metadata !== undefined && { metadata }),
          ...(expiryDays !== undefined && {
            expires_after: expiryDays === null ? null : toExpiry(expiryDays),
          }),
        };
        return toStore(await vectorStores.update(storeId, params, options));
      }),

    remove: (storeId, timeoutMs) =>
      call(
        timeoutMs,
        async ({ vectorStores }, options) => void (await vectorStores.delete(storeId, options)),
      ),

    search: (storeId, search, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) => {
        const { query, filters, maxResults, ranker, scoreThreshold, rewriteQuery } = search;
        const ranking = {
          ...(ranker !== undefined && { ranker }),
          ...(scoreThreshold !== undefined && { score_threshold: scoreThreshold }),
        };
        const params: OpenAI.VectorStoreSearchParams = {
          query: typeof query === 'string' ? query : [...query],
          ...(filters && { filters: filters as OpenAI.CompoundFilter }),
          ...(maxResults !== undefined && { max_num_results: maxResults }),
          ...(Object.keys(ranking).length > 0 && { ranking_options: ranking }),
          ...(rewriteQuery !== undefined && { rewrite_query: rewriteQuery }),
        };
        // The package's page leaves out the queries.
        const response = await vectorStores.search(storeId, params, options).asResponse();
        const body = (await response.json()) as WireResults;
        return {
          queries: [body.search_query ?? query].flat(),
          results: body.data.map(({ file_id, filename, score, attributes, content }) => {
            const texts = content.map(({ text }) => text);
            return { fileId: file_id, name: filename, score, attributes, texts };
          }),
        };
      }),

    addFile: (storeId, file, timeoutMs) =>
      call(
        timeoutMs,
        async ({ vectorStores }, options) =>
          toFile(await vectorStores.files.create(storeId, toFileParams(file), options)),
        'file_id',
      ),

    listFiles: (storeId, page, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) =>
        toPage(await vectorStores.files.list(storeId, toListParams(page), options)),
      ),

    findFile: (storeId, fileId, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) =>
        toFile(await vectorStores.files.retrieve(fileId, { vector_store_id: storeId }, options)),
      ),

    setAttributes: (storeId, fileId, attributes, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) => {
        const params = { vector_store_id: storeId, attributes };
        return toFile(await vectorStores.files.update(fileId, params, options));
      }),

    removeFile: (storeId, fileId, timeoutMs) =>
      call(
        timeoutMs,
        async ({ vectorStores }, options) =>
          void (await vectorStores.files.delete(fileId, { vector_store_id: storeId }, options)),
      ),

    readFile: (storeId, fileId, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) => {
        const page = await vectorStores.files.content(fileId, { vector_store_id: storeId }, options);
        return page.data.map(({ text = '' }) => text);
      }),

    addBatch: (storeId, batch, timeoutMs) =>
      call(
        timeoutMs,
        async ({ vectorStores }, options) => {
          const params =
            'files' in batch
              ? { files: batch.files.map(toFileParams) }
              : { file_ids: [...batch.fileIds], ...toSettings(batch) };
          return toBatch(await vectorStores.fileBatches.create(storeId, params, options));
        },
        'files' in batch ? 'files' : 'file_ids',
      ),

    findBatch: (storeId, batchId, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) =>
        toBatch(await vectorStores.fileBatches.retrieve(batchId, { vector_store_id: storeId }, options)),
      ),

    cancelBatch: (storeId, batchId, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) =>
        toBatch(await vectorStores.fileBatches.cancel(batchId, { vector_store_id: storeId }, options)),
      ),

    listBatchFiles: (storeId, batchId, page, timeoutMs) =>
      call(timeoutMs, async ({ vectorStores }, options) => {
        const params = { vector_store_id: storeId, ...toListParams(page) };
        return toPage(await vectorStores.fileBatches.listFiles(batchId, params, options));
      }),
  };
}

/** The response to a search, of which the package reads the data only. */
interface WireResults {
  readonly search_query?: string | readonly string[];
  readonly data: readonly OpenAI.VectorStoreSearchResponse[];
}

/** The properties read from errors of the engine's client. */
interface Refusal {
  readonly status?: number;
  readonly code?: string | null;
  readonly param?: string | null;
  readonly error?: { readonly message?: string } | null;
}

/** Parameters that may be named to the client, which wrote them. */
const knownParams = [
  ...['attributes', 'chunking_strategy', 'expires_after', 'file_ids', 'files', 'filters'],
  ...['max_num_results', 'metadata', 'name', 'query', 'ranking_options'],
];

/** Translates what concerns vector stores in an error. */
function toStoreError(error: AppError, filesParam: string | undefined): AppError {
  const { cause } = error.options;
  const { status, code, param: named, error: body } = (cause ?? {}) as Refusal;
  // "No file found with id … in vector store …" names both.
  if (error.code === 'vector_store_not_found' && !/^vector store with id\b/i.test(body?.message ?? '')) {
    return /\bfile|batch\b/i.test(body?.message ?? '') ? new AppError('file_not_found', { cause }) : error;
  }
  if (status !== 400) return error;
  const first = /^\w+/.exec(named ?? '')?.[0] ?? '';
  // Engines may name a file of a list by `file_id`.
  const at = knownParams.includes(first) ? first : filesParam;
  const why =
    code === 'unsupported_file' ? 'files of this type cannot be searched' : 'the value is not accepted';
  const fieldErrors =
    at === undefined
      ? { $: ['The vector store does not accept this request.'] }
      : { [at]: [`Invalid '${at}': ${why}.`] };
  return new AppError('invalid_request', { fieldErrors, cause });
}

const toExpiry = (days: number) => ({ anchor: 'last_active_at' as const, days });

function toChunkingParams(chunking: Chunking | undefined) {
  if (chunking === undefined) return {};
  if (chunking === 'auto') return { chunking_strategy: { type: 'auto' as const } };
  const { maxTokens, overlapTokens } = chunking;
  const sizes = { max_chunk_size_tokens: maxTokens, chunk_overlap_tokens: overlapTokens };
  return { chunking_strategy: { type: 'static' as const, static: sizes } };
}

const toSettings = ({ attributes, chunking }: FileSettings) => ({
  ...(attributes && { attributes }),
  ...toChunkingParams(chunking),
});

const toFileParams = ({ fileId, ...settings }: NewVectorStoreFile) => ({
  file_id: fileId,
  ...toSettings(settings),
});

const toListParams = ({ limit, order, status, after, before }: StoreFilePageRequest) => ({
  ...{ limit, order },
  ...(status !== undefined && { filter: status }),
  ...(after !== undefined && { after }),
  ...(before !== undefined && { before }),
});

const toDate = (seconds: number | null | undefined) =>
  typeof seconds === 'number' ? new Date(seconds * 1000) : undefined;

function toStore(store: OpenAI.VectorStore): VectorStore {
  // A web page with status 200, from an address that is not an engine's.
  if (typeof store.id !== 'string') throw new Error('the response is not a vector store');
  return {
    vectorStoreId: store.id,
    name: store.name ?? '',
    status: store.status,
    counts: toCounts(store.file_counts),
    usageBytes: store.usage_bytes ?? 0,
    metadata: store.metadata ?? {},
    createdAt: new Date(store.created_at * 1000),
    lastActiveAt: toDate(store.last_active_at),
    expiryDays: store.expires_after?.days,
    expiresAt: toDate(store.expires_at),
  };
}

const toCounts = ({ in_progress, completed, failed, cancelled, total }: OpenAI.VectorStore.FileCounts) => ({
  ...{ in_progress, completed, failed, cancelled, total },
});

function toFile(file: OpenAI.VectorStores.VectorStoreFile): VectorStoreFile {
  const { chunking_strategy: strategy } = file;
  return {
    fileId: file.id,
    status: file.status,
    errorCode: file.last_error?.code,
    usageBytes: file.usage_bytes ?? 0,
    chunking:
      strategy?.type === 'static'
        ? {
            maxTokens: strategy.static.max_chunk_size_tokens,
            overlapTokens: strategy.static.chunk_overlap_tokens,
          }
        : undefined,
    attributes: file.attributes ?? null,
    createdAt: new Date(file.created_at * 1000),
  };
}

const toPage = (page: { data: OpenAI.VectorStores.VectorStoreFile[]; has_more: boolean }): StoreFilePage => ({
  files: page.data.map(toFile),
  hasMore: page.has_more,
});

const toBatch = (batch: OpenAI.VectorStores.VectorStoreFileBatch): FileBatch => ({
  batchId: batch.id,
  status: batch.status,
  counts: toCounts(batch.file_counts),
  createdAt: new Date(batch.created_at * 1000),
});
