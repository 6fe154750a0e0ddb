import { AppError } from '../errors.ts';
import type { Run } from '../model/run.ts';
import { isWaiting } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { type RequiredAction, toRequiredAction } from '../model/toolCalls.ts';
import { changeTo, saveRun } from './refreshRun.ts';
import type { WaitingRound } from './roundCache.ts';
import type { RunServices } from './runServices.ts';

/** Timeout of reading a round, in milliseconds. */
const readMs = 10_000;

/** A run with what it waits for. */
export interface DescribedRun {
  readonly stored: Stored<Run>;
  /** Present if and only if the run waits. */
  readonly requiredAction?: RequiredAction;
}

/**
 * Adds what a waiting run waits for, read from the engine.
 * @throws {AppError} thread_not_found when the thread has been deleted; rate_limited, unavailable or internal_error when
 * the engine or the store fails.
 */
export async function describeRun(services: RunServices, stored: Stored<Run>): Promise<DescribedRun> {
  if (!isWaiting(stored.value)) return { stored };
  const [thread, found] = await Promise.all([
    services.threads.find(stored.value),
    findWaitingRound(services, stored),
  ]);
  if (!thread) throw new AppError('thread_not_found');
  if (!found.round) return { stored: found.stored };
  return { stored, requiredAction: toRequiredAction(thread.value.conversationId, found.round.calls) };
}

/**
 * Reads the round of a waiting run.
 * @returns without `round`, the run in its next state: the engine no longer knows the round, or the run has moved on.
 * @throws {AppError} unavailable when the engine does not know the round yet; also when the engine or the store fails.
 */
export async function findWaitingRound(
  services: RunServices,
  stored: Stored<Run>,
): Promise<{ stored: Stored<Run>; round?: WaitingRound }> {
  const { engine, liveRuns, deadline } = services;
  const { responseId } = stored.value;
  if (responseId === undefined) {
    throw new AppError('internal_error', { cause: new Error('a waiting run has no response') });
  }
  const known = liveRuns.rounds.find(responseId);
  if (known) return { stored, round: known };
  const state = await engine.find(responseId, deadline.remaining(readMs));
  if (state.status === 'requires_action') {
    liveRuns.rounds.add(responseId, state);
    return { stored, round: state };
  }
  const current = await saveRun(services, stored, changeTo(services, responseId, state));
  if (isWaiting(current.value)) throw new AppError('unavailable');
  return { stored: current };
}
