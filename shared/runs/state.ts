import type { Run, RunStatus, Usage } from './run.ts';

/** What the engine says of a run when asked. */
export type Observation =
  | { readonly status: 'queued' | 'in_progress' }
  | { readonly status: 'completed'; readonly completedAt?: Date; readonly usage?: Usage }
  | { readonly status: 'failed'; readonly reason: string }
  | { readonly status: 'cancelled' }
  /** The engine knows no such run (any more). */
  | { readonly status: 'absent' };

const outcomeUnknown = 'its outcome is unknown, and the thread may hold the answer';

/** Longest time between a run's record and the engine's answer; twice what a request may last. */
const handOverMs = 60_000;

const ends: ReadonlySet<RunStatus> = new Set(['completed', 'failed', 'expired', 'cancelled']);

export const isFinished = (run: Run): boolean => ends.has(run.status);

/**
 * When an unfinished run is given up. One that the engine never took (its request died half-way)
 * need not hold the thread for the whole of its time.
 */
export function deadline(run: Run): Date {
  const handOver = run.createdAt.getTime() + handOverMs;
  return run.responseId === undefined && handOver < run.expiresAt.getTime()
    ? new Date(handOver)
    : run.expiresAt;
}

/** The run after an observation; the same object when nothing changed. A recorded end is final. */
export function observe(run: Run, seen: Observation, now: Date): Run {
  if (isFinished(run)) return run;
  switch (seen.status) {
    case 'queued':
      return run;
    case 'in_progress':
      return run.status === 'in_progress'
        ? run
        : { ...run, status: 'in_progress', startedAt: latest(now, run.createdAt) };
    case 'completed':
      return complete(run, seen, now);
    case 'failed':
      return end(run, 'failed', now, `The assistant could not finish the run: ${seen.reason}.`);
    case 'cancelled':
      return end(run, 'cancelled', now, 'The run was cancelled.');
    case 'absent':
      return end(run, 'expired', now, `The assistant no longer knows the run: ${outcomeUnknown}.`);
  }
}

/** The run given up at its deadline. @param stopped whether the engine confirmed that it no longer works on it. */
export function expire(run: Run, now: Date, stopped: boolean): Run {
  const known =
    run.responseId === undefined ? 'The assistant never confirmed the run' : 'The run took too long';
  return end(run, 'expired', now, stopped ? `${known} and was stopped.` : `${known}: ${outcomeUnknown}.`);
}

/** A run that the engine certainly did not take. */
export const refuse = (run: Run, now: Date): Run =>
  end(run, 'failed', now, 'The assistant did not accept the run.');

/** A run that the engine may have taken: it could not be asked again without risking a second one. */
export const lose = (run: Run, now: Date): Run =>
  end(run, 'failed', now, `The assistant did not answer in time: ${outcomeUnknown}.`);

function end(run: Run, status: RunStatus, now: Date, errorMessage: string): Run {
  if (isFinished(run)) return run;
  return { ...run, status, completedAt: latest(now, run.createdAt, run.startedAt), errorMessage };
}

function complete(run: Run, seen: Observation & { status: 'completed' }, now: Date): Run {
  const said = seen.completedAt && seen.completedAt < now ? seen.completedAt : now;
  const completedAt = latest(said, run.createdAt, run.startedAt);
  return {
    ...run,
    status: 'completed',
    startedAt: run.startedAt ?? completedAt,
    completedAt,
    ...(seen.usage && { usage: seen.usage }),
  };
}

/** Keeps created ≤ started ≤ completed whatever the clocks of engine and service say. */
const latest = (...dates: readonly (Date | undefined)[]): Date =>
  new Date(Math.max(...dates.map((date) => date?.getTime() ?? 0)));
