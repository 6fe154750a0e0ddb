import { waitWithin } from '../deadline.ts';
import { AppError } from '../errors.ts';
import type { Run } from '../model/run.ts';
import { applyEngineState, applyStart, expire, isTerminal, runDeadline } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { RunServices } from './runServices.ts';

/** Timeout of a call that refreshes an active run, in milliseconds. */
const refreshMs = 10_000;

/** Timeout of each of the two calls that expire a run, in milliseconds. */
const expireCallMs = 5_000;

/** Returns the next state of a run, or the same object when nothing changes. */
export type Change = (run: Run) => Run;

/** Maximum attempts to save a run. An attempt is repeated only after a concurrent change. */
const maxSaves = 5;

/**
 * Brings a run up to date: reads the state of an active run from the engine, and expires an overdue one. Stores what
 * changed, and frees the thread when the run has ended. Concurrent requests for the same run share one call.
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
 * @param change not called for a terminal run: a recorded end is final. Must be repeatable.
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
    if (isTerminal(run) || change(run) === run) return current;
    const next = change(applyStart(run, services.liveRuns.starts.find(run)));
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
  const overdue = new Date() >= runDeadline(run);
  if (run.responseId === undefined) {
    // If the engine accepts the run in the meantime, it is no longer overdue.
    return (current) =>
      overdue && current.responseId === undefined ? expire(current, new Date(), false) : current;
  }
  if (overdue) return expireInEngine(services, run.responseId);
  const state = await services.engine.find(run.responseId, refreshMs);
  return (current) => applyEngineState(current, state, new Date());
}

/** Ends an overdue run: reads its state first, since it may have completed unnoticed, and cancels it if it is active. */
async function expireInEngine({ engine }: RunServices, responseId: string): Promise<Change> {
  // A failing engine must not keep the thread locked.
  const found = await engine.find(responseId, expireCallMs).catch(() => undefined);
  const ended = found && found.status !== 'queued' && found.status !== 'in_progress';
  const stopped = ended ? undefined : await engine.cancel(responseId, expireCallMs).catch(() => undefined);
  return (current) => {
    const now = new Date();
    const next = found ? applyEngineState(current, found, now) : current;
    if (isTerminal(next)) return next;
    return stopped?.status === 'completed'
      ? applyEngineState(next, stopped, now)
      : expire(next, now, stopped?.status === 'cancelled');
  };
}
