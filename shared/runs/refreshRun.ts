import { waitWithin } from '../deadline.ts';
import { AppError } from '../errors.ts';
import type { Run } from '../model/run.ts';
import { applyEngineState, expire, isTerminal, runDeadline } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { RunServices } from './runServices.ts';

const refreshMs = 10_000;

/** Each of the two calls that giving up a run may take. */
const giveUpMs = 5_000;

/** Applies what was learned to a run; gives the same object when that changes nothing. */
export type Change = (run: Run) => Run;

/** Saves are tried again only when someone else changed the run in between. */
const maxSaves = 5;

/**
 * Brings a run up to date: a finished one as it is, an unfinished one by a look at the engine, an overdue one by its
 * end. What changed is stored, and the thread is free when the run has ended. Requests that ask for the same run at the
 * same time share one look.
 * @throws {AppError} rate_limited, unavailable or internal_error when the engine or the store cannot tell;
 * the run is untouched then. An overdue run ends all the same.
 */
export async function refreshRun(services: RunServices, stored: Stored<Run>): Promise<Stored<Run>> {
  if (isTerminal(stored.value)) return stored;
  const refreshed = services.liveRuns.refreshes(flightKey(stored), async () =>
    saveRun(services, stored, await findChange(services, stored.value)),
  );
  return waitWithin(services.deadline, refreshed);
}

/**
 * Stores what becomes of a run; when someone else wrote it first, the change is applied to what they recorded.
 * Callers that save the same version of a run at the same time share one transaction.
 * @param change not asked about a finished run: a recorded end is final.
 * @throws {AppError} run_not_found when the run is gone, unavailable when the store cannot tell.
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

/** @returns the run as saved, or as someone else had recorded it before. */
async function saveOnce(services: RunServices, before: Stored<Run>, next: Run): Promise<Stored<Run>> {
  // Others may wait for this save, so it does not end with the request that happened to begin it.
  const { runs } = services.workerStores;
  const saved = await runs.save(before, next);
  if (saved) {
    const { projectId, threadId, runId, status } = saved.value;
    // Alerts count these lines: an expired run is one whose outcome a client may never learn.
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
    // Should the engine accept it at this very moment, it is no longer overdue.
    return (current) =>
      overdue && current.responseId === undefined ? expire(current, new Date(), false) : current;
  }
  if (overdue) return giveUp(services, run.responseId);
  const state = await services.engine.find(run.responseId, refreshMs);
  return (current) => applyEngineState(current, state, new Date());
}

/** An overdue run may have ended well without anyone asking, so the engine is asked before it is told to stop. */
async function giveUp({ engine }: RunServices, responseId: string): Promise<Change> {
  // Whatever keeps the engine from telling must not keep the thread from being used.
  const found = await engine.find(responseId, giveUpMs).catch(() => undefined);
  const ended = found && found.status !== 'queued' && found.status !== 'in_progress';
  const stopped = ended ? undefined : await engine.cancel(responseId, giveUpMs).catch(() => undefined);
  return (current) => {
    const now = new Date();
    const next = found ? applyEngineState(current, found, now) : current;
    if (isTerminal(next)) return next;
    return stopped?.status === 'completed'
      ? applyEngineState(next, stopped, now)
      : expire(next, now, stopped?.status === 'cancelled');
  };
}
