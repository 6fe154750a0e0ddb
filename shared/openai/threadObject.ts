import type { Thread } from '../model/thread.ts';
import { toUnixSeconds, type WireThread } from './wire.ts';

/**
 * Returns what tools use, with an empty list for each tool that uses nothing: programs read the lists of the tools that they
 * have chosen without asking whether they are there.
 * @param codeFiles ids of the files of code interpreters.
 * @param tools types of the tools; a thread has none of its own.
 */
export const toWireResources = (codeFiles: readonly string[], tools: readonly string[] = []) => ({
  ...((codeFiles.length > 0 || tools.includes('code_interpreter')) && {
    code_interpreter: { file_ids: [...codeFiles] },
  }),
  // The documents of a project are searched without being named.
  ...(tools.includes('file_search') && { file_search: { vector_store_ids: [] } }),
});

/** Returns a thread as the Assistants API sends it. */
export const toWireThread = ({ threadId, createdAt, metadata = {}, codeFiles = [] }: Thread): WireThread => ({
  id: threadId,
  object: 'thread',
  created_at: toUnixSeconds(createdAt),
  metadata,
  tool_resources: toWireResources(codeFiles),
});
