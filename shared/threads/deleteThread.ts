import { AppError } from '../errors.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { RunServices } from '../runs/runServices.ts';
import type { ClosedThread } from '../storage/threadStore.ts';

const cancelMs = 5_000;
const removeMs = 10_000;

/**
 * Deletes a thread for good: its runs, the engine's conversation and all of our rows.
 * From the first step on the thread is not found and takes no run. Whatever interrupts the others, the next call goes
 * on; one read is all it takes when nothing is left.
 * @throws {AppError} rate_limited, unavailable or internal_error when it has to be called again.
 */
export async function deleteThread(services: RunServices, threadKey: ThreadKey): Promise<void> {
  const thread = await services.threads.close(threadKey);
  if (thread) await removeClosed(services, thread);
}

/**
 * Finishes a deletion that was interrupted. A thread that is open is left alone: its deletion never began, or it is
 * another one, brought in with the same id since.
 * @throws {AppError} as {@link deleteThread} does.
 */
export async function resumeDeletion(services: RunServices, threadKey: ThreadKey): Promise<void> {
  const thread = await services.threads.findClosed(threadKey);
  if (thread) await removeClosed(services, thread);
}

async function removeClosed(services: RunServices, thread: ClosedThread): Promise<void> {
  const { threads, engine, deadline } = services;
  const { projectId, threadId } = thread;
  await threads.removeRuns(thread);
  if (thread.responseId !== undefined) {
    // Without its conversation a response has nothing to write to, so one that cannot be cancelled holds nothing up.
    await engine
      .cancel(thread.responseId, deadline.remaining(cancelMs))
      .catch(() => services.log({ event: 'cancel_failed', projectId, threadId }));
  }
  await engine.removeConversation(thread.conversationId, deadline.remaining(removeMs)).catch((error) => {
    if (!(error instanceof AppError && error.code === 'thread_not_found')) throw error;
  });
  await threads.remove(thread);
}
