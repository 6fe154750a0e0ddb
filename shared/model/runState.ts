import { type Run, type RunErrorCode, type RunStatus, roundOf, type Usage } from './run.ts';
import type { EngineStep } from './step.ts';
import type { PendingCall, ToolCall } from './toolCalls.ts';

/** A step of a round, when the round has ended. */
export interface OutputStep {
  readonly step: EngineStep;
  /** The text of a message by its parts, without empty ones; empty for another step. */
  readonly parts: readonly MessagePart[];
}

export interface MessagePart {
  readonly text: string;
  /** Whether the assistant refuses to reply. */
  readonly refusal: boolean;
}

/** The state of one round of a run in the engine. */
export type EngineRunState =
  | { readonly status: 'queued' | 'in_progress' }
  | {
      readonly status: 'completed';
      readonly completedAt?: Date;
      readonly usage?: Usage;
      readonly output?: readonly OutputStep[];
    }
  /** The round has ended with calls that the client must answer. */
  | {
      readonly status: 'requires_action';
      readonly calls: readonly ToolCall[];
      /** The instructions of the round, which the engine does not carry over to the next. */
      readonly instructions: string;
      readonly usage?: Usage;
      readonly output?: readonly OutputStep[];
    }
  | {
      readonly status: 'failed';
      readonly errorCode: RunErrorCode;
      /** The engine's error code. */
      readonly reason: string;
      /** The calls in a reply that was cut off; undefined if the engine kept nothing of the round. */
      readonly calls?: readonly PendingCall[];
      readonly usage?: Usage;
      readonly output?: readonly OutputStep[];
    }
  | { readonly status: 'cancelled' }
  /** The engine does not know the run, either not yet or no longer. */
  | { readonly status: 'absent' };

const outcomeUnknown = 'its outcome is unknown, and the thread may hold the answer';

/** Maximum time between a round's claim and its acceptance, in milliseconds; twice the time limit of a request. */
const submissionMs = 60_000;

/**
 * How long after its submission a run may be invisible in the engine, in milliseconds. Azure has returned 404 for up to
 * 33 seconds (dotnet/extensions#7704).
 */
const invisibleMs = 60_000;

const terminalStatuses: ReadonlySet<RunStatus> = new Set(['completed', 'failed', 'expired', 'cancelled']);

export const isTerminal = (run: Run): boolean => terminalStatuses.has(run.status);

/** Returns whether a run waits for outputs or approvals. */
export const isWaiting = ({ status }: Run): boolean => status === 'requires_action';

/**
 * Returns when an active run expires. A round that the engine has not accepted, because its request was interrupted,
 * expires early, so that it does not lock the thread until `expiresAt`.
 */
export function runDeadline(run: Run): Date {
  const submissionDeadline = (run.claimedAt ?? run.createdAt).getTime() + submissionMs;
  return run.responseId === undefined && submissionDeadline < run.expiresAt.getTime()
    ? new Date(submissionDeadline)
    : run.expiresAt;
}

/**
 * Applies a state of a run's current round to the run. Returns the same object when nothing changes. A recorded end is
 * final.
 * @param maxToolRounds number of rounds that may end with calls; then the run fails.
 */
export function applyEngineState(run: Run, state: EngineRunState, now: Date, maxToolRounds: number): Run {
  if (isTerminal(run)) return run;
  switch (state.status) {
    case 'queued':
      return run;
    case 'in_progress':
      return start(run, now);
    case 'completed':
      return complete(run, state, now);
    case 'requires_action':
      return isWaiting(run) ? run : requireAction(run, state, now, maxToolRounds);
    case 'failed':
      return end(
        {
          ...withReply(withPendingCalls(run, state.calls), state.output),
          ...addUsage(run.usage, state.usage),
        },
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

const start = (run: Run, now: Date): Run =>
  run.status === 'queued'
    ? { ...run, status: 'in_progress', startedAt: run.startedAt ?? latest(now, run.createdAt) }
    : run;

/** Applies that the run was seen in progress, at a time before now. */
export function applyStart(run: Run, seenAt: Date | undefined): Run {
  if (seenAt === undefined || run.startedAt !== undefined) return run;
  return start(run, seenAt);
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
  return {
    ...withReply(withPendingCalls(run, []), state.output),
    ...addUsage(run.usage, state.usage),
    status: 'completed',
    startedAt: startOf(run, completedAt),
    completedAt,
  };
}

/** Maximum number of messages of a reply that are recorded. */
const maxReplyMessages = 50;

/** Adds the messages of a round's output to a run. */
function withReply(run: Run, output: readonly OutputStep[] = []): Run {
  const earlier = run.replyItemIds ?? [];
  const added = output
    .filter(({ step }) => step.details.type === 'message')
    .map(({ step }) => step.itemId)
    .filter((itemId) => !earlier.includes(itemId));
  return added.length === 0
    ? run
    : { ...run, replyItemIds: [...earlier, ...added].slice(0, maxReplyMessages) };
}

/** Returns when a run started. If nobody saw it in progress, its acceptance is closer to that than the end of a round is. */
function startOf(run: Run, endedAt: Date): Date {
  const acceptedAt = run.submittedAt && run.submittedAt < endedAt ? run.submittedAt : endedAt;
  return run.startedAt ?? latest(acceptedAt, run.createdAt);
}

function requireAction(
  run: Run,
  { calls, usage, output }: EngineRunState & { status: 'requires_action' },
  now: Date,
  maxToolRounds: number,
): Run {
  const waiting: Run = {
    ...withReply(withPendingCalls(run, calls), output),
    ...addUsage(run.usage, usage),
    status: 'requires_action',
    startedAt: startOf(run, now),
  };
  if (roundOf(run) < maxToolRounds) return waiting;
  const message = `The assistant asked for tool calls in more than ${maxToolRounds} rounds.`;
  return end(waiting, 'failed', now, 'too_many_tool_rounds', message);
}

/** Replaces the pending calls when a round's outputs are in the conversation. Leaves a run without any unchanged. */
function withPendingCalls(run: Run, calls: readonly PendingCall[] | undefined): Run {
  if (calls === undefined || (calls.length === 0 && run.pendingCalls === undefined)) return run;
  return { ...run, pendingCalls: calls.map(({ kind, callId }) => ({ kind, callId })) };
}

/** Adds the usage of a round. */
function addUsage(sum: Usage | undefined, usage: Usage | undefined): { usage?: Usage } {
  if (!usage || !sum) return usage ? { usage } : {};
  return {
    usage: {
      inputTokens: sum.inputTokens + usage.inputTokens,
      outputTokens: sum.outputTokens + usage.outputTokens,
      totalTokens: sum.totalTokens + usage.totalTokens,
    },
  };
}

/**
 * Claims the next round of a waiting run, before its outputs are submitted. The calls stay pending until that round has
 * completed.
 */
export function claimRound(
  { responseId = '', ...run }: Run,
  { claimId, fingerprint, now }: { claimId: string; fingerprint: string; now: Date },
): Run {
  return {
    ...run,
    status: 'queued',
    earlierResponseIds: [...(run.earlierResponseIds ?? []), responseId],
    claimedAt: now,
    claimId,
    submissions: [...(run.submissions ?? []), fingerprint],
  };
}

/** Undoes a claim whose outputs the engine certainly did not accept: the run waits for them again. */
export function revertClaim(run: Run): Run {
  const { earlierResponseIds = [], submissions = [] } = run;
  const responseId = earlierResponseIds.at(-1);
  return {
    ...run,
    status: 'requires_action',
    earlierResponseIds: earlierResponseIds.slice(0, -1),
    ...(responseId !== undefined && { responseId }),
    submissions: submissions.slice(0, -1),
  };
}

/** Returns whether a run is in the round that a claim started, and the engine has not accepted it. */
export const isUnsubmitted = (run: Run, { claimId }: Pick<Run, 'claimId'>): boolean =>
  !isTerminal(run) && run.responseId === undefined && run.claimId === claimId;

/** Returns the latest date. Keeps created ≤ started ≤ completed despite clock skew between engine and service. */
const latest = (...dates: readonly (Date | undefined)[]): Date =>
  new Date(Math.max(...dates.map((date) => date?.getTime() ?? 0)));
