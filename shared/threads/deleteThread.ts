import { ignore } from '../errors.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { RunServices } from '../runs/runServices.ts';
import type { ClosedThread } from '../storage/threadStore.ts';

/** Timeouts of the engine's calls, in milliseconds. */
const cancelMs = 5_000;
const removeMs = 10_000;

/**
 * Deletes a thread: its runs, the engine's conversation and all its rows. After the first step the thread is not found
 * and no run can be started. If a later step fails, another call resumes the deletion. For a deleted thread, a call costs
 * one read.
 * @throws {AppError} rate_limited, unavailable or internal_error; call it again to complete the deletion.
 */
export async function deleteThread(services: RunServices, threadKey: ThreadKey): Promise<void> {
  const thread = await services.threads.close(threadKey);
  if (thread) await removeClosed(services, thread);
}

/**
 * Completes an interrupted deletion. Does nothing for an open thread: its deletion never started, or another thread has
 * been imported with the same id.
 * @throws {AppError} as {@link deleteThread}.
 */
export async function resumeDeletion(services: RunServices, threadKey: ThreadKey): Promise<void> {
  const thread = await services.threads.findClosed(threadKey);
  if (thread) await removeClosed(services, thread);
}

async function removeClosed(services: RunServices, thread: ClosedThread): Promise<void> {
  const { threads, reservations, engine, deadline } = services;
  const { projectId, threadId } = thread;
  const { creationKey: rowKey } = thread;
  if (rowKey !== undefined) await reservations.release(projectId, { rowKey, threadId });
  await threads.removeRuns(thread);
  if (thread.responseId !== undefined) {
    // Ignore a failed cancellation: without its conversation the response cannot write anything.
    await engine
      .cancel(thread.responseId, deadline.remaining(cancelMs))
      .catch(() => services.log({ event: 'cancel_failed', projectId, threadId }));
  }
  await engine
    .removeConversation(thread.conversationId, deadline.remaining(removeMs))
    .catch(ignore('thread_not_found'));
  await threads.remove(thread);
}
