import type { Metadata } from './metadata.ts';

/** Identifies a vector store of a project. */
export interface VectorStoreKey {
  readonly projectId: string;
  readonly vectorStoreId: string;
}

/** A vector store as stored: what people wrote about it is kept by the engine. */
export interface StoredVectorStore extends VectorStoreKey {
  readonly createdAt: Date;
  /** Keyed hash of the request that created it. */
  readonly requestHash: string;
}

/** How far the indexing of a file, or of a batch of files, has come. */
export type IndexStatus = 'in_progress' | 'completed' | 'failed' | 'cancelled';

/** Numbers of files by status. */
export type FileCounts = Readonly<Record<IndexStatus | 'total', number>>;

/** A vector store. What the engine room returns has the engine's ids in place of the project's, here and below. */
export interface VectorStore {
  readonly vectorStoreId: string;
  readonly name: string;
  readonly status: 'in_progress' | 'completed' | 'expired';
  readonly counts: FileCounts;
  readonly usageBytes: number;
  readonly metadata: Metadata;
  readonly createdAt: Date;
  readonly lastActiveAt: Date | undefined;
  /** Days after its last use after which it expires; undefined for never. */
  readonly expiryDays: number | undefined;
  readonly expiresAt: Date | undefined;
}

/** How files are split for the search; by default as the engine likes. */
export type Chunking = 'auto' | { readonly maxTokens: number; readonly overlapTokens: number };

/** A client's own labels of a file in a vector store, by which searches filter. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A file in a vector store. */
export interface VectorStoreFile {
  readonly fileId: string;
  readonly status: IndexStatus;
  /** Set for a failed one. */
  readonly errorCode: 'server_error' | 'unsupported_file' | 'invalid_file' | undefined;
  readonly usageBytes: number;
  /** Undefined where the engine does not tell. */
  readonly chunking: Exclude<Chunking, 'auto'> | undefined;
  readonly attributes: Attributes | null;
  readonly createdAt: Date;
}

/** Files that were added to a vector store together. */
export interface FileBatch {
  readonly batchId: string;
  readonly status: IndexStatus;
  readonly counts: FileCounts;
  readonly createdAt: Date;
}

/** What a search found in a file. */
export interface SearchResult {
  readonly fileId: string;
  readonly name: string;
  readonly score: number;
  readonly attributes: Attributes | null;
  readonly texts: readonly string[];
}

export interface NewVectorStore {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly metadata?: Metadata | undefined;
  readonly expiryDays?: number | undefined;
  readonly fileIds: readonly string[];
  readonly chunking?: Chunking | undefined;
}

/** Changes of a vector store; null removes a value, undefined keeps it. */
export interface VectorStoreChanges {
  readonly name?: string | null | undefined;
  readonly metadata?: Metadata | null | undefined;
  readonly expiryDays?: number | null | undefined;
}

/** How a file is added to a vector store. */
export interface FileSettings {
  readonly attributes?: Attributes | undefined;
  readonly chunking?: Chunking | undefined;
}

export interface NewVectorStoreFile extends FileSettings {
  readonly fileId: string;
}

/** Files to add together: with the same settings, or each with its own. */
export type NewFileBatch =
  | ({ readonly fileIds: readonly string[] } & FileSettings)
  | { readonly files: readonly NewVectorStoreFile[] };

export interface SearchRequest {
  readonly query: string | readonly string[];
  readonly filters?: SearchFilter | undefined;
  readonly maxResults?: number | undefined;
  readonly ranker?: 'none' | 'auto' | 'default-2024-11-15' | undefined;
  readonly scoreThreshold?: number | undefined;
  readonly rewriteQuery?: boolean | undefined;
}

/** What the attributes of a file must be. */
export type SearchFilter =
  | {
      readonly type: (typeof comparisons)[number];
      readonly key: string;
      readonly value: string | number | boolean | readonly (string | number)[];
    }
  | { readonly type: 'and' | 'or'; readonly filters: readonly SearchFilter[] };

export const comparisons = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin'] as const;

/** A page of the files of a vector store or of a batch. */
export interface StoreFilePageRequest {
  readonly limit: number;
  /** `desc` for newest first. */
  readonly order: 'asc' | 'desc';
  readonly status?: IndexStatus | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}
