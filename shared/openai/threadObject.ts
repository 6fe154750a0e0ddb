import type { Thread } from '../model/thread.ts';
import { toUnixSeconds, type WireThread } from './wire.ts';

/** Returns what tools use. @param codeFiles ids of the files of code interpreters. */
export const toWireResources = (codeFiles: readonly string[]) =>
  codeFiles.length > 0 ? { code_interpreter: { file_ids: [...codeFiles] } } : {};

/** Returns a thread as the Assistants API sends it. */
export const toWireThread = ({ threadId, createdAt, metadata = {}, codeFiles = [] }: Thread): WireThread => ({
  id: threadId,
  object: 'thread',
  created_at: toUnixSeconds(createdAt),
  metadata,
  tool_resources: toWireResources(codeFiles),
});
