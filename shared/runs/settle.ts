import { AppError } from '../http/errors.ts';
import type { ServiceContext } from '../invocation.ts';
import type { Stored } from '../storage/rows.ts';
import type { Run } from './run.ts';
import { deadline as deadlineOf, expire, isFinished, observe } from './state.ts';

export type RunServices = Pick<
  ServiceContext,
  'config' | 'threads' | 'runs' | 'engine' | 'watch' | 'followUps' | 'deadline' | 'log'
>;

const lookUpMs = 10_000;

/** Each of the two calls that giving up a run may take. */
const giveUpMs = 5_000;

/**
 * Brings a run up to date: a finished one as it is, an unfinished one by a look at the engine, an overdue one by its
 * end. What changed is stored, and the thread is free when the run has ended.
 * @throws {AppError} rate_limited, unavailable or internal_error when the engine or the store cannot tell;
 * the run is untouched then. An overdue run ends all the same.
 */
export async function settle(services: RunServices, stored: Stored<Run>): Promise<Stored<Run>> {
  const run = stored.value;
  const next = isFinished(run) ? run : await findNext(services, run);
  return next === run ? stored : record(services, stored, next);
}

/** Stores a run's next state; when someone else wrote it first, what they recorded counts. */
export async function record(services: RunServices, stored: Stored<Run>, next: Run): Promise<Stored<Run>> {
  const saved = await services.runs.save(stored, next);
  if (saved) {
    const { projectId, threadId, runId, status } = saved.value;
    // Alerts count these lines: an expired run is one whose outcome a client may never learn.
    if (status === 'expired') services.log({ event: 'run_expired', projectId, threadId, runId });
    return saved;
  }
  const run = stored.value;
  const current = await services.runs.find(run.projectId, run.threadId, run.runId);
  if (!current) throw new AppError('run_not_found');
  return current;
}

async function findNext(services: RunServices, run: Run): Promise<Run> {
  const overdue = new Date() >= deadlineOf(run);
  if (run.responseId === undefined) return overdue ? expire(run, new Date(), false) : run;
  if (overdue) return giveUp(services, run, run.responseId);
  const seen = await services.engine.find(run.responseId, services.deadline.within(lookUpMs));
  return observe(run, seen, new Date());
}

/** An overdue run may have ended well without anyone asking, so the engine is asked before it is told to stop. */
async function giveUp({ engine, deadline }: RunServices, run: Run, responseId: string): Promise<Run> {
  try {
    const seen = observe(run, await engine.find(responseId, deadline.within(giveUpMs)), new Date());
    if (isFinished(seen)) return seen;
    const stopped = observe(seen, await engine.cancel(responseId, deadline.within(giveUpMs)), new Date());
    if (stopped.status === 'completed') return stopped;
    return expire(seen, new Date(), stopped.status === 'cancelled');
  } catch {
    // Whatever keeps the engine from telling must not keep the thread from being used.
    return expire(run, new Date(), false);
  }
}
