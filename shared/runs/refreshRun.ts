import { waitWithin } from '../deadline.ts';
import { AppError } from '../errors.ts';
import type { Run } from '../model/run.ts';
import {
  applyEngineState,
  type EngineRunState,
  expire,
  isTerminal,
  isWaiting,
  runDeadline,
} from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { RunServices } from './runServices.ts';

/** Timeout of a call that refreshes an active run, in milliseconds. */
const refreshMs = 10_000;

/** Timeout of each of the two calls that expire a run, in milliseconds. */
const expireCallMs = 5_000;

/** Returns the next state of a run, or the same object when nothing changes. */
export type Change = (run: Run) => Run;

/**
 * Returns the change that a state of a round makes to its run: none if the run is in another round by then, so that a
 * state that arrives late changes nothing.
 */
export function changeTo(services: RunServices, responseId: string, state: EngineRunState): Change {
  services.liveRuns.rounds.add(responseId, state);
  return (run) =>
    run.responseId === responseId
      ? applyEngineState(run, state, new Date(), services.config.maxToolRounds)
      : run;
}

/** Maximum attempts to save a run. An attempt is repeated only after a concurrent change. */
const maxSaves = 5;

/**
 * Brings a run up to date: reads the state of an active run from the engine, and expires an overdue one. Stores what
 * changed, and frees the thread when the run has ended. Concurrent requests for the same run share one call. A waiting
 * run costs none, because nothing happens to it in the engine.
 * @throws {AppError} rate_limited, unavailable or internal_error when the engine or the store fails; the run is then
 * unchanged. An overdue run expires even if the engine fails.
 */
export async function refreshRun(services: RunServices, stored: Stored<Run>): Promise<Stored<Run>> {
  if (isTerminal(stored.value)) return stored;
  const refreshed = services.liveRuns.refreshes(flightKey(stored), async () =>
    saveRun(services, stored, await findChange(services, stored.value)),
  );
  return waitWithin(services.deadline, refreshed);
}

/**
 * Saves a change to a run; after a concurrent change, applies it to the newer version instead. Concurrent saves of the
 * same version share one transaction.
 * @param change not called for a terminal run: a recorded end is final.
 * @throws {AppError} run_not_found when the run no longer exists, unavailable when the store fails.
 */
export async function saveRun(
  services: RunServices,
  stored: Stored<Run>,
  change: Change,
): Promise<Stored<Run>> {
  let current = stored;
  for (let saves = 0; saves < maxSaves; saves++) {
    const { value: run } = current;
    const next = isTerminal(run) ? run : change(run);
    if (next === run) return current;
    current = await services.liveRuns.saves(flightKey(current), () => saveOnce(services, current, next));
  }
  throw new AppError('unavailable');
}

const flightKey = ({ value, etag }: Stored<Run>) =>
  `${value.projectId}:${value.threadId}:${value.runId}:${etag}`;

/** Saves a run once. @returns the saved run, or the recorded one after a concurrent change. */
async function saveOnce(services: RunServices, before: Stored<Run>, next: Run): Promise<Stored<Run>> {
  // Other requests may share this save, so it must not end with the request that started it.
  const { runs } = services.workerStores;
  const saved = await runs.save(before, next);
  if (saved) {
    const { projectId, threadId, runId, status } = saved.value;
    // An alert counts these lines: the client may never learn the outcome of an expired run.
    if (status === 'expired') services.log({ event: 'run_expired', projectId, threadId, runId });
  }
  const current = saved ?? (await runs.find(next));
  if (!current) throw new AppError('run_not_found');
  services.liveRuns.feeds.recorded(current);
  return current;
}

async function findChange(services: RunServices, run: Run): Promise<Change> {
  const isOverdue = new Date() >= runDeadline(run);
  if (run.responseId === undefined || isWaiting(run)) return isOverdue ? expireIdle : (current) => current;
  if (isOverdue) return expireInEngine(services, run.responseId);
  return changeTo(services, run.responseId, await services.engine.find(run.responseId, refreshMs));
}

/**
 * Expires a run that the engine is not working on: it waits, or its round has not been accepted. If the engine accepts a
 * round in the meantime, the run is no longer overdue.
 */
function expireIdle(current: Run): Run {
  const now = new Date();
  const isIdle = current.responseId === undefined || isWaiting(current);
  return isIdle && now >= runDeadline(current) ? expire(current, now, isWaiting(current)) : current;
}

/** Ends an overdue run: reads its state first, since it may have completed unnoticed, and cancels it if it is active. */
async function expireInEngine(services: RunServices, responseId: string): Promise<Change> {
  const { engine } = services;
  // A failing engine must not keep the thread locked.
  const found = await engine.find(responseId, expireCallMs).catch(() => undefined);
  const hasEnded = found && found.status !== 'queued' && found.status !== 'in_progress';
  const stopped = hasEnded ? undefined : await engine.cancel(responseId, expireCallMs).catch(() => undefined);
  return (current) => {
    if (current.responseId !== responseId) return current;
    const now = new Date();
    const seen = found ? changeTo(services, responseId, found)(current) : current;
    // The engine refuses to cancel a round that has completed meanwhile.
    const hasCompleted = stopped?.status === 'completed' || stopped?.status === 'requires_action';
    const next = hasCompleted ? changeTo(services, responseId, stopped)(seen) : seen;
    return expire(next, now, isWaiting(next) || stopped?.status === 'cancelled');
  };
}
