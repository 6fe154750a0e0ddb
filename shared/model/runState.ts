import type { Run, RunErrorCode, RunStatus, Usage } from './run.ts';

/** A message of the reply, when the run has ended. */
export interface ReplyMessage {
  /** The engine's id. */
  readonly itemId: string;
  /** Whether the message is commentary on the work in progress, not part of the reply. */
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
      /** The engine's error code. */
      readonly reason: string;
      readonly reply?: readonly ReplyMessage[];
    }
  | { readonly status: 'cancelled' }
  /** The engine does not know the run, either not yet or no longer. */
  | { readonly status: 'absent' };

const outcomeUnknown = 'its outcome is unknown, and the thread may hold the answer';

/** Maximum time between a run's creation and its acceptance, in milliseconds; twice the time limit of a request. */
const submissionMs = 60_000;

/**
 * How long after its submission a run may be invisible in the engine, in milliseconds. Azure has returned 404 for up to
 * 33 seconds (dotnet/extensions#7704).
 */
const invisibleMs = 60_000;

const terminalStatuses: ReadonlySet<RunStatus> = new Set(['completed', 'failed', 'expired', 'cancelled']);

export const isTerminal = (run: Run): boolean => terminalStatuses.has(run.status);

/**
 * Returns when an active run expires. A run that the engine has not accepted, because its request was interrupted,
 * expires early, so that it does not lock the thread until `expiresAt`.
 */
export function runDeadline(run: Run): Date {
  const submissionDeadline = run.createdAt.getTime() + submissionMs;
  return run.responseId === undefined && submissionDeadline < run.expiresAt.getTime()
    ? new Date(submissionDeadline)
    : run.expiresAt;
}

/** Applies a state of the engine to a run. Returns the same object when nothing changes. A recorded end is final. */
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

/** Applies that the run was seen in progress, at a time before now. */
export function applyStart(run: Run, seenAt: Date | undefined): Run {
  if (seenAt === undefined || run.startedAt !== undefined) return run;
  return applyEngineState(run, { status: 'in_progress' }, seenAt);
}

/** Returns whether a run unknown to the engine is lost, rather than not visible yet. */
function isLost(run: Run, now: Date): boolean {
  const submittedAt = run.submittedAt ?? run.createdAt;
  return now >= run.expiresAt || now.getTime() - submittedAt.getTime() >= invisibleMs;
}

/** Expires a run. @param stopped whether the engine confirmed that it cancelled the run. */
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

/** Fails a run that the engine certainly did not accept. */
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

/** Fails a run that the engine may have accepted. A retry could start a second one. */
export const failOutcomeUnknown = (run: Run, now: Date): Run =>
  end(run, 'failed', now, 'outcome_unknown', `The assistant did not answer in time: ${outcomeUnknown}.`);

function end(run: Run, status: RunStatus, now: Date, errorCode: RunErrorCode, errorMessage: string): Run {
  if (isTerminal(run)) return run;
  return { ...run, status, completedAt: latest(now, run.createdAt, run.startedAt), errorCode, errorMessage };
}

function complete(run: Run, state: EngineRunState & { status: 'completed' }, now: Date): Run {
  const reported = state.completedAt && state.completedAt < now ? state.completedAt : now;
  const completedAt = latest(reported, run.createdAt, run.startedAt);
  // If nobody saw the run in progress, the engine's acceptance is closer to its start than its end is.
  const acceptedAt = run.submittedAt && run.submittedAt < completedAt ? run.submittedAt : completedAt;
  return {
    ...run,
    status: 'completed',
    startedAt: run.startedAt ?? latest(acceptedAt, run.createdAt),
    completedAt,
    ...(state.usage && { usage: state.usage }),
  };
}

/** Returns the latest date. Keeps created ≤ started ≤ completed despite clock skew between engine and service. */
const latest = (...dates: readonly (Date | undefined)[]): Date =>
  new Date(Math.max(...dates.map((date) => date?.getTime() ?? 0)));
