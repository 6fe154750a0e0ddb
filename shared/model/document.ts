import { openId, sealId } from './sealedId.ts';

/** A document of a project, which every run of the project searches. */
export interface ProjectDocument {
  readonly documentId: string;
  readonly name: string;
  readonly bytes: number;
  readonly mediaType: string;
  /** `ready` once runs find it; `failed` if they never will. */
  readonly status: 'indexing' | 'ready' | 'failed';
  /** Set for a failed one. */
  readonly errorCode?: DocumentErrorCode;
  readonly createdAt: Date;
  /** Equal for equal contents in one project; keyed, so that the content cannot be guessed from it. */
  readonly fingerprint: string;
}

/** Why a document cannot be searched. */
export type DocumentErrorCode = 'unsupported_document' | 'invalid_document' | 'engine_error';

/** Encrypts the engine's id of a document's file. Deterministic. @param projectSecret known to the service only. */
export const sealDocumentId = (projectSecret: string, engineFileId: string): string =>
  sealId(projectSecret, 'doc', engineFileId);

/** Decrypts a document id. @returns the engine's id; undefined for an id not of this project. */
export const openDocumentId = (projectSecret: string, documentId: string): string | undefined =>
  openId(projectSecret, 'doc', documentId);
