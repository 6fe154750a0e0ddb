import { AppError } from '../errors.ts';
import type { Run, RunKey } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import { type EngineRound, type NamedByStep, type Step, toStep } from '../model/step.ts';
import { findRun } from './findRun.ts';
import type { RunServices } from './runServices.ts';

/** Timeout of reading a round, in milliseconds. */
const readMs = 15_000;

/** A step with the times of its round; undefined while they are not known. */
export interface TimedStep {
  readonly step: Step;
  /** What the step names by the engine's ids. */
  readonly named?: NamedByStep | undefined;
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
}

/**
 * Returns what a run did, in order, from the engine.
 * @throws {AppError} as {@link findRun}; steps_expired when the engine no longer has the run; rate_limited, unavailable
 * or internal_error when the engine fails.
 */
export async function listSteps(services: RunServices, runKey: RunKey): Promise<TimedStep[]> {
  const { engine, threads, deadline } = services;
  const [{ value: run }, thread] = await Promise.all([findRun(services, runKey), threads.find(runKey)]);
  if (!thread) throw new AppError('thread_not_found');
  const rounds = await Promise.all(
    responseIdsOf(run).map((responseId) => engine.findRound(responseId, deadline.remaining(readMs))),
  );
  // The engine may hide a new round for a while, but not one that is followed by another or by the end.
  const isLost = rounds.some((round, index) => !round && (isTerminal(run) || index < rounds.length - 1));
  if (isLost) throw new AppError('steps_expired');
  return rounds
    .filter((round): round is EngineRound => round !== undefined)
    .flatMap((round) => toTimedSteps(thread.value.conversationId, round));
}

/**
 * Returns what a run did in one of its rounds that have ended, from the engine.
 * @throws {AppError} as {@link listSteps}.
 */
export async function listStepsOfRound(
  { engine, threads, deadline }: RunServices,
  run: Run,
  { round, timeoutMs }: { round: number; timeoutMs: number },
): Promise<TimedStep[]> {
  const responseId = responseIdsOf(run)[round];
  if (responseId === undefined) return [];
  const [thread, found] = await Promise.all([
    threads.find(run),
    engine.findRound(responseId, deadline.remaining(timeoutMs)),
  ]);
  if (!thread) throw new AppError('thread_not_found');
  if (!found) throw new AppError('steps_expired');
  return toTimedSteps(thread.value.conversationId, found);
}

const toTimedSteps = (conversationId: string, { startedAt, endedAt, steps }: EngineRound): TimedStep[] =>
  steps.map((step) => ({
    step: toStep(conversationId, step),
    ...{ named: step.named, startedAt, endedAt },
  }));

const responseIdsOf = ({ earlierResponseIds = [], responseId }: Run): string[] => [
  ...earlierResponseIds,
  ...(responseId === undefined ? [] : [responseId]),
];
