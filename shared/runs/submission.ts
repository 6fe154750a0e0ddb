import { waitWithin } from '../deadline.ts';
import type { Submission } from '../engine/engine.ts';
import type { RunRequest } from '../engine/responseParams.ts';
import { AppError, ignore } from '../errors.ts';
import type { IdempotencyKey } from '../model/idempotencyKey.ts';
import type { Run } from '../model/run.ts';
import { applyEngineState, isUnsubmitted } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { type CallOutput, type PendingCall, toUnanswered } from '../model/toolCalls.ts';
import { saveRun } from './refreshRun.ts';
import type { RunServices } from './runServices.ts';

/* What the first round of a run and the later ones have in common: handing a claimed round to the engine. */

/** Timeout for the engine to accept a round, in milliseconds. */
const startMs = 20_000;

/** Part of a request's time reserved for recording the result, in milliseconds. */
const recordMs = 5_000;

/** Minimum time for the engine to accept a round, in milliseconds; with less, a round is not started. */
const minStartMs = 3_000;

/** How long the store may still execute a claim whose outcome is unknown, in milliseconds. */
export const lateClaimMs = 10_000;

/** How long a repeated request waits for the first one to submit its round, in milliseconds. */
export const submissionWaitMs = 2_000;
export const submissionPollMs = 250;

/** Returns whether a request has enough time left to submit a round. */
export const hasTimeToSubmit = ({ deadline }: RunServices): boolean =>
  deadline.remaining(startMs, recordMs) >= minStartMs;

/**
 * Submits a claimed round to the engine. If the engine refuses it because the conversation has other unanswered calls
 * than the records say, as after a lost response that completed, reads which there are and submits once more.
 */
export async function submitRound(services: RunServices, request: RunRequest): Promise<Submission> {
  const { engine, deadline, log } = services;
  const submission = await engine.submit(request, deadline.remaining(startMs, recordMs));
  if (submission.outcome !== 'rejected' || !submission.isCallMismatch) return submission;
  if (!hasTimeToSubmit(services)) return submission;
  const { projectId, threadId, runId } = request.run;
  log({ event: 'open_calls_differ', projectId, threadId, runId });
  const open = await engine
    .findOpenCalls(request.conversationId, deadline.remaining(startMs, recordMs))
    .catch(() => undefined);
  const outputs = open?.map((call) => outputOf(request.outputs ?? [], call) ?? toUnanswered(call));
  // A round needs something to go on with.
  if (!outputs || (outputs.length === 0 && !request.input) || !hasTimeToSubmit(services)) return submission;
  return engine.submit({ ...request, outputs }, deadline.remaining(startMs, recordMs));
}

const outputOf = (outputs: readonly CallOutput[], { kind, callId }: PendingCall) =>
  outputs.find((output) => output.kind === kind && output.callId === callId);

/** Returns the key of background work on a round: a round may end while work on an earlier one is pending. */
export const pendingKey = ({ runId, claimId }: Run): string => claimId ?? runId;

/**
 * Records the next state of a run whose round is not active in the engine, retrying in the background if the store fails.
 * @param forget idempotency key to delete in the same transaction.
 * @returns the run; undefined when it was changed by somebody else, or is recorded later.
 */
export async function recordUnaccepted(
  services: RunServices,
  claim: Stored<Run>,
  next: Run,
  forget?: IdempotencyKey,
): Promise<Stored<Run> | undefined> {
  const { workerStores, liveRuns } = services;
  const save = () => workerStores.runs.save(claim, next, forget);
  try {
    return await save();
  } catch {
    liveRuns.pending.retry(pendingKey(next), async () => void (await save()));
    return undefined;
  }
}

type Accepted = Extract<Submission, { outcome: 'accepted' }>;

/**
 * Records that the engine accepted a round. An unrecorded one could still write to the thread, so it is cancelled.
 * @returns the run as recorded; undefined when it was deleted in the meantime.
 */
export async function recordAccepted(
  services: RunServices,
  claim: Stored<Run>,
  accepted: Accepted,
): Promise<Stored<Run> | undefined> {
  const { responseId, state, stream } = accepted;
  const { liveRuns, deadline, config } = services;
  const submittedAt = new Date();
  liveRuns.rounds.add(responseId, state);
  const accept = (run: Run) =>
    isUnsubmitted(run, claim.value)
      ? applyEngineState({ ...run, responseId, submittedAt }, state, submittedAt, config.maxToolRounds)
      : run;
  const save = () => waitWithin(deadline, saveRun(services, claim, accept));
  let saved: Stored<Run> | undefined;
  try {
    saved = await save().catch(ignoreRunNotFound);
  } catch (error) {
    await cancelInEngine(services, claim.value, accepted, async () => {
      await saveRun(services, claim, accept).catch(ignoreRunNotFound);
    });
    throw error;
  }
  if (saved?.value.responseId === responseId) liveRuns.feeds.accept(saved, stream);
  // The run was cancelled or the thread deleted before the engine accepted the round.
  else await cancelInEngine(services, claim.value, accepted);
  return saved;
}

/** Ignores that a run no longer exists, because its thread was deleted in the meantime. */
export const ignoreRunNotFound = ignore('run_not_found');

/**
 * Cancels a round in the engine, retrying in the background if that fails.
 * @param afterwards work to do in the background once the round is cancelled.
 */
async function cancelInEngine(
  { engine, liveRuns, deadline }: RunServices,
  run: Run,
  { responseId, stream }: Accepted,
  afterwards?: () => Promise<void>,
): Promise<void> {
  stream.close();
  let cancelled = false;
  const cancel = async (timeoutMs: number) => {
    // The engine may not know the round yet.
    cancelled ||= (await engine.cancel(responseId, timeoutMs)).status !== 'absent';
    if (!cancelled) throw new AppError('unavailable');
  };
  await cancel(deadline.remaining(recordMs)).catch(() => undefined);
  if (cancelled && !afterwards) return;
  liveRuns.pending.retry(pendingKey(run), async () => {
    if (!cancelled) await cancel(recordMs);
    await afterwards?.();
  });
}
