import type { Run, RunErrorCode, RunStatus, Usage } from './run.ts';

/** A message of a reply as the engine has it when the run has ended. */
export interface ReplyMessage {
  /** The engine's id of the message. */
  readonly itemId: string;
  /** Said on the way to the reply, not part of it. */
  readonly commentary: boolean;
  readonly text: string;
}

/** The state of a run in the engine. */
export type EngineRunState =
  | { readonly status: 'queued' | 'in_progress' }
  | {
      readonly status: 'completed';
      readonly completedAt?: Date;
      readonly usage?: Usage;
      readonly reply?: readonly ReplyMessage[];
    }
  | {
      readonly status: 'failed';
      readonly errorCode: RunErrorCode;
      /** The engine's own code. */
      readonly reason: string;
      readonly reply?: readonly ReplyMessage[];
    }
  | { readonly status: 'cancelled' }
  /** The engine knows no such run, not yet or no longer. */
  | { readonly status: 'absent' };

const outcomeUnknown = 'its outcome is unknown, and the thread may hold the answer';

/** Longest time between a run's record and the engine's answer; twice what a request may last. */
const handOverMs = 60_000;

/**
 * How long after its submission a run may be invisible in the engine, in milliseconds. Azure has answered 404 for up to
 * 33 seconds (dotnet/extensions#7704).
 */
const invisibleMs = 60_000;

const terminalStatuses: ReadonlySet<RunStatus> = new Set(['completed', 'failed', 'expired', 'cancelled']);

export const isTerminal = (run: Run): boolean => terminalStatuses.has(run.status);

/**
 * When an unfinished run is given up. One that the engine never accepted (its request died half-way)
 * need not hold the thread for the whole of its time.
 */
export function runDeadline(run: Run): Date {
  const handOver = run.createdAt.getTime() + handOverMs;
  return run.responseId === undefined && handOver < run.expiresAt.getTime()
    ? new Date(handOver)
    : run.expiresAt;
}

/** Returns the run after the engine's state is applied; the same object when nothing changed. A recorded end is final. */
export function applyEngineState(run: Run, state: EngineRunState, now: Date): Run {
  if (isTerminal(run)) return run;
  switch (state.status) {
    case 'queued':
      return run;
    case 'in_progress':
      return run.status === 'in_progress'
        ? run
        : { ...run, status: 'in_progress', startedAt: latest(now, run.createdAt) };
    case 'completed':
      return complete(run, state, now);
    case 'failed':
      return end(
        run,
        'failed',
        now,
        state.errorCode,
        `The assistant could not finish the run: ${state.reason}.`,
      );
    case 'cancelled':
      return end(run, 'cancelled', now, 'cancelled', 'The run was cancelled.');
    case 'absent':
      return isLost(run, now)
        ? end(
            run,
            'expired',
            now,
            'outcome_unknown',
            `The assistant no longer knows the run: ${outcomeUnknown}.`,
          )
        : run;
  }
}

/** Whether a run that the engine does not find is gone, and not just not visible yet. */
function isLost(run: Run, now: Date): boolean {
  const submittedAt = run.submittedAt ?? run.createdAt;
  return now >= run.expiresAt || now.getTime() - submittedAt.getTime() >= invisibleMs;
}

/** The run given up at its deadline. @param stopped whether the engine confirmed that it no longer works on it. */
export function expire(run: Run, now: Date, stopped: boolean): Run {
  const submitted = run.responseId !== undefined;
  const known = submitted ? 'The run took too long' : 'The assistant never confirmed the run';
  return end(
    run,
    'expired',
    now,
    submitted ? 'timed_out' : 'outcome_unknown',
    stopped ? `${known} and was stopped.` : `${known}: ${outcomeUnknown}.`,
  );
}

/** A run that the engine certainly did not accept. */
export const failRejected = (run: Run, now: Date, errorCode: RunErrorCode = 'engine_rejected'): Run =>
  end(
    run,
    'failed',
    now,
    errorCode,
    errorCode === 'engine_rejected'
      ? 'The assistant did not accept the run.'
      : `The assistant did not accept the run: ${errorCode}.`,
  );

/** A run that the engine may have accepted: it could not be asked again without risking a second one. */
export const failOutcomeUnknown = (run: Run, now: Date): Run =>
  end(run, 'failed', now, 'outcome_unknown', `The assistant did not answer in time: ${outcomeUnknown}.`);

function end(run: Run, status: RunStatus, now: Date, errorCode: RunErrorCode, errorMessage: string): Run {
  if (isTerminal(run)) return run;
  return { ...run, status, completedAt: latest(now, run.createdAt, run.startedAt), errorCode, errorMessage };
}

function complete(run: Run, state: EngineRunState & { status: 'completed' }, now: Date): Run {
  const said = state.completedAt && state.completedAt < now ? state.completedAt : now;
  const completedAt = latest(said, run.createdAt, run.startedAt);
  return {
    ...run,
    status: 'completed',
    startedAt: run.startedAt ?? completedAt,
    completedAt,
    ...(state.usage && { usage: state.usage }),
  };
}

/** Keeps created ≤ started ≤ completed whatever the clocks of engine and service say. */
const latest = (...dates: readonly (Date | undefined)[]): Date =>
  new Date(Math.max(...dates.map((date) => date?.getTime() ?? 0)));
