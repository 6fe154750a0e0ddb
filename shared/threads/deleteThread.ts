import { AppError } from '../http/errors.ts';
import type { RunServices } from '../runs/settle.ts';

const engineMs = 10_000;

/**
 * Deletes a thread for good: stops its run, removes the engine's conversation and all of our rows.
 * The thread is out of everyone's reach from the first step on; whatever interrupts the others, doing it again goes on.
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
  // A run without an engine's id is being handed over; its request finds no record of it and stops it.
  if (active?.value.responseId !== undefined) {
    await engine.cancel(active.value.responseId, deadline.within(engineMs));
  }
  await engine.removeConversation(conversationId, deadline.within(engineMs)).catch((error) => {
    if (!(error instanceof AppError && error.code === 'thread_not_found')) throw error;
  });
  await threads.remove(projectId, threadId);
}
