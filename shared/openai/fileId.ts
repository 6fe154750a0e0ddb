import { isFileId, isThreadId } from '../model/ids.ts';

/** What the id of a file of this face names. */
export type NamedFile =
  /** A file of the project, or one that a reply cites. */
  | { readonly kind: 'file'; readonly fileId: string }
  /** A file that a code interpreter made. */
  | { readonly kind: 'generated'; readonly threadId: string; readonly fileId: string };

/**
 * Returns the id of a file that a code interpreter made. It is valid in its thread only, which the paths of this API do not
 * name, so the id does.
 */
export const toGeneratedFileId = (threadId: string, fileId: string): string => `${fileId}.${threadId}`;

/** Reads the id of a file; undefined for one that no file can have. */
export function readFileId(id: string): NamedFile | undefined {
  const [fileId, threadId, ...rest] = id.split('.');
  if (!isFileId(fileId) || rest.length > 0) return undefined;
  if (threadId === undefined) return { kind: 'file', fileId };
  return isThreadId(threadId) ? { kind: 'generated', threadId, fileId } : undefined;
}
