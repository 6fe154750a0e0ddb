import {
  type Chunking,
  comparisons,
  type FileSettings,
  type NewFileBatch,
  type NewVectorStore,
  type NewVectorStoreFile,
  type SearchFilter,
  type SearchRequest,
  type VectorStoreChanges,
} from '../model/vectorStore.ts';
import {
  attributes,
  flag,
  invalidType,
  list,
  metadata,
  nullable,
  number,
  object,
  oneOf,
  optional,
  type Reader,
  text,
} from './readers.ts';
import { badRequest } from './wireError.ts';

/** Maximum length of names, descriptions and queries, in characters; the original documents none. */
const maxTextLength = 32_768;

const label = text({ max: maxTextLength });

/** An id is looked up, so it is text of any form. */
const fileId = text({ min: 1, max: 512 });

/** As documented for a create of a vector store, and for a batch. */
const maxFiles = 500;
const maxBatchFiles = 2_000;

/** Reads the days after which a vector store expires. */
const expiry: Reader<number> = (value, param) =>
  object({ anchor: oneOf('last_active_at'), days: number({ min: 1, max: 365, integer: true }) })(value, param)
    .days;

const chunkTokens = { min: 100, max: 4096, integer: true } as const;

/** Reads how files are split. */
const chunking: Reader<Chunking> = (value, param) => {
  if ((value as { type?: unknown } | null)?.type !== 'static') {
    object({ type: oneOf('auto', 'static') })(value, param);
    return 'auto';
  }
  const { static: sizes } = object({
    type: oneOf('static'),
    static: object({
      max_chunk_size_tokens: number(chunkTokens),
      chunk_overlap_tokens: number({ min: 0, max: chunkTokens.max, integer: true }),
    }),
  })(value, param);
  const { max_chunk_size_tokens: maxTokens, chunk_overlap_tokens: overlapTokens } = sizes;
  if (overlapTokens > maxTokens / 2) {
    const name = `${param}.static.chunk_overlap_tokens`;
    throw badRequest(
      `Invalid '${name}': expected at most half of max_chunk_size_tokens.`,
      name,
      'invalid_value',
    );
  }
  return { maxTokens, overlapTokens };
};

/** Reads the body of a create of a vector store. */
export const readNewVectorStore: Reader<NewVectorStore> = (value, param) => {
  const { expires_after, file_ids, chunking_strategy, ...labels } = object({
    name: optional(label),
    description: optional(label),
    metadata: optional(metadata),
    expires_after: optional(expiry),
    file_ids: optional(list(fileId, { max: maxFiles })),
    chunking_strategy: optional(chunking),
  })(value, param);
  return { ...labels, expiryDays: expires_after, fileIds: file_ids ?? [], chunking: chunking_strategy };
};

/** Reads a vector store that is created with what names it. */
export const readInlineVectorStore: Reader<NewVectorStore> = (value, param) => {
  const {
    file_ids,
    chunking_strategy,
    metadata: labels,
  } = object({
    file_ids: optional(list(fileId, { max: maxFiles })),
    chunking_strategy: optional(chunking),
    metadata: optional(metadata),
  })(value, param);
  return {
    ...{ name: undefined, description: undefined, expiryDays: undefined, metadata: labels },
    ...{ fileIds: file_ids ?? [], chunking: chunking_strategy },
  };
};

/** Reads the body of an update of a vector store. */
export const readVectorStoreChanges: Reader<VectorStoreChanges> = (value, param) => {
  const { expires_after, ...labels } = object({
    name: nullable(label),
    metadata: nullable(metadata),
    expires_after: nullable(expiry),
  })(value, param);
  return { ...labels, expiryDays: expires_after };
};

const settings = { attributes: optional(attributes), chunking_strategy: optional(chunking) };

const toSettings = (given: {
  readonly attributes: FileSettings['attributes'];
  readonly chunking_strategy: FileSettings['chunking'];
}): FileSettings => ({ attributes: given.attributes, chunking: given.chunking_strategy });

/** Reads a file to add to a vector store. */
export const readNewVectorStoreFile: Reader<NewVectorStoreFile> = (value, param) => {
  const { file_id, ...given } = object({ file_id: fileId, ...settings })(value, param);
  return { fileId: file_id, ...toSettings(given) };
};

/** Reads files to add to a vector store together. */
export const readNewFileBatch: Reader<NewFileBatch> = (value, param) => {
  const size = { min: 1, max: maxBatchFiles };
  const { file_ids, files, ...given } = object({
    file_ids: optional(list(fileId, size)),
    files: optional(list(readNewVectorStoreFile, size)),
    ...settings,
  })(value, param);
  if (files === undefined) {
    if (file_ids === undefined) throw invalidType('file_ids', 'an array', undefined);
    return { fileIds: file_ids, ...toSettings(given) };
  }
  // The original would ignore all but the files.
  for (const [name, other] of Object.entries({ file_ids, ...given })) {
    if (other !== undefined) throw badRequest(`The parameter '${name}' cannot be used with 'files'.`, name);
  }
  return { files };
};

/** Reads the body of an update of a file in a vector store. */
export const readAttributesBody = object({
  attributes: (value, param) => (value === null ? null : attributes(value, param)),
});

/** Maximum depth and width of filters, which are objects within objects. */
const maxFilterDepth = 8;
const maxFilters = 100;

const filterValue: Reader<string | number | boolean> = (value, param) =>
  typeof value === 'number' || typeof value === 'boolean' ? value : label(value, param);

const filterItem: Reader<string | number> = (value, param) =>
  typeof value === 'number' ? value : label(value, param);

const filterAt =
  (depth: number): Reader<SearchFilter> =>
  (value, param) => {
    if (depth > maxFilterDepth) {
      throw badRequest(`Invalid 'filters': nested too deeply.`, 'filters', 'invalid_value');
    }
    const type = (value as { type?: unknown } | null)?.type;
    if (type === 'and' || type === 'or') {
      return object({
        type: oneOf('and', 'or'),
        filters: list(filterAt(depth + 1), { max: maxFilters }),
      })(value, param);
    }
    return object({
      type: oneOf(...comparisons),
      key: text({ min: 1, max: 64 }),
      value: (item, name) =>
        Array.isArray(item) ? list(filterItem, { max: maxFilters })(item, name) : filterValue(item, name),
    })(value, param);
  };

const readQuery: Reader<string | readonly string[]> = (value, param) => {
  const one = text({ min: 1, max: maxTextLength });
  return Array.isArray(value) ? list(one, { min: 1, max: 100 })(value, param) : one(value, param);
};

/** Reads the body of a search. */
export const readSearch: Reader<SearchRequest> = (value, param) => {
  const body = object({
    query: readQuery,
    filters: optional(filterAt(1)),
    max_num_results: optional(number({ min: 1, max: 50, integer: true })),
    ranking_options: optional(
      object({
        ranker: optional(oneOf('none', 'auto', 'default-2024-11-15')),
        score_threshold: optional(number({ min: 0, max: 1 })),
      }),
    ),
    rewrite_query: optional(flag),
  })(value, param);
  return {
    query: body.query,
    filters: body.filters,
    maxResults: body.max_num_results,
    ranker: body.ranking_options?.ranker,
    scoreThreshold: body.ranking_options?.score_threshold,
    rewriteQuery: body.rewrite_query,
  };
};
