import type { EngineContent, EngineFiles } from '../engine/files.ts';
import { AppError } from '../errors.ts';
import { openGeneratedFile } from '../model/message.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { RunServices } from '../runs/runServices.ts';

/** Timeout of opening a file, in milliseconds. */
const openMs = 10_000;

/**
 * Opens the content of a file that a code interpreter made in a thread.
 * @param signal closes it.
 * @throws {AppError} thread_not_found; file_not_found for an id that is not of this thread; file_expired when the engine
 * no longer has the container; rate_limited, unavailable, internal_error.
 */
export async function openThreadFile(
  { threads, engineFiles, deadline }: RunServices & { readonly engineFiles: EngineFiles },
  { threadKey, fileId }: { readonly threadKey: ThreadKey; readonly fileId: string },
  signal: AbortSignal,
): Promise<EngineContent> {
  const thread = await threads.find(threadKey);
  if (!thread) throw new AppError('thread_not_found');
  const file = openGeneratedFile(thread.value.conversationId, fileId);
  if (!file) throw new AppError('file_not_found');
  return engineFiles.openGenerated(file, deadline.remaining(openMs), signal);
}
