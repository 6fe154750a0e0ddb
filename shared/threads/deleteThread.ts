import { AppError, type ErrorCode } from '../http/errors.ts';
import { cancel } from '../runs/cancel.ts';
import type { RunServices } from '../runs/settle.ts';
import { isFinished } from '../runs/state.ts';

const engineMs = 10_000;

/**
 * Deletes a thread for good: stops its run, removes the engine's conversation and all of our rows.
 * The thread is not to be found and takes no run from the first step on; whatever interrupts the others, doing it again goes on.
 * @throws {AppError} rate_limited, unavailable or internal_error when it has to be done again.
 */
export async function deleteThread(
  services: RunServices,
  projectId: string,
  threadId: string,
): Promise<void> {
  const { threads, runs, engine, deadline } = services;
  const thread = await threads.close(projectId, threadId);
  if (!thread) return;
  const { activeRunId, conversationId } = thread;
  const active = activeRunId === undefined ? undefined : await runs.find(projectId, threadId, activeRunId);
  if (active && !isFinished(active.value)) await cancel(services, active).catch(ignore('run_finished'));
  await engine
    .removeConversation(conversationId, deadline.within(engineMs))
    .catch(ignore('thread_not_found'));
  await threads.remove(projectId, threadId);
}

const ignore = (code: ErrorCode) => (error: unknown) => {
  if (!(error instanceof AppError && error.code === code)) throw error;
};
