import { scheduler } from 'node:timers/promises';
import { waitAtMost, waitWithin } from '../deadline.ts';
import type { Submission } from '../engine/engine.ts';
import { AppError } from '../errors.ts';
import type { Assistant } from '../model/assistant.ts';
import { type IdempotencyKey, toIdempotencyKey } from '../model/idempotencyKey.ts';
import { newId } from '../model/ids.ts';
import { metadataOf } from '../model/metadata.ts';
import type { Project } from '../model/project.ts';
import type { Run, RunErrorCode, RunInput, RunKey } from '../model/run.ts';
import { applyEngineState, failOutcomeUnknown, failRejected, isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import type { Claim } from '../storage/runStore.ts';
import { followUpWaitMs, scheduleFollowUp, toFollowUp } from './followUps.ts';
import { refreshRun, saveRun } from './refreshRun.ts';
import type { RunServices } from './runServices.ts';

export interface StartRequest {
  readonly project: Project;
  readonly threadKey: ThreadKey;
  readonly input: RunInput;
  readonly idempotencyKey: string | undefined;
}

/** Returns whether the time that is left allows for starting a run. */
export const canStart = ({ deadline }: RunServices): boolean =>
  deadline.remaining(startMs, recordMs) >= minStartMs;

/** Timeout for the engine to accept a run, in milliseconds. */
const startMs = 20_000;

/** Part of a request's time reserved for recording the result, in milliseconds. */
const recordMs = 5_000;

/** Minimum time for the engine to accept a run, in milliseconds; with less, a run is not started. */
const minStartMs = 3_000;

/** How long a repeated create waits for the first one to submit its run, in milliseconds. */
const submissionWaitMs = 2_000;
const submissionPollMs = 250;

/** How long the store may still execute a claim whose outcome is unknown, in milliseconds. */
const lateClaimMs = 10_000;

/** Maximum attempts to claim a thread. An attempt is repeated only after another request changed the thread. */
const maxClaims = 10;

/**
 * Starts a run, or returns the run that the same idempotency key started before.
 * Claims the thread in the store first and then calls the engine once, so that concurrent requests, retries and crashes
 * cannot start a second run.
 * @throws {AppError} thread_not_found, thread_busy, idempotency_mismatch, rate_limited, unavailable, internal_error.
 */
export async function startRun(
  services: RunServices,
  { project, threadKey, input, idempotencyKey }: StartRequest,
): Promise<{ run: Run; replayed: boolean }> {
  const assistant = findAssistant(services, project);
  const key = idempotencyKey === undefined ? undefined : toIdempotencyKey(idempotencyKey, input);
  for (let claims = 0; claims < maxClaims; ) {
    if (!canStart(services)) throw new AppError('unavailable');
    const thread = await services.threads.find(threadKey);
    if (!thread) throw new AppError('thread_not_found');
    if (thread.value.activeRunId !== undefined) {
      if (await services.liveRuns.pending.flush(thread.value.activeRunId)) continue;
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
      await refreshActiveRun(services, { ...threadKey, runId: thread.value.activeRunId });
      continue;
    }
    claims++;
    const claim = await claimThread(services, thread, newRun(services, project, threadKey, input), key);
    if (claim === 'conflict') continue;
    if (claim === 'duplicateKey') {
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
      continue;
    }
    await submitRun(services, { claim, thread: thread.value, assistant, project, input, key });
    return { run: claim.value, replayed: false };
  }
  throw new AppError('thread_busy');
}

export function findAssistant(services: RunServices, project: Project): Assistant {
  const assistant = services.config.assistants.get(project.assistantId);
  if (!assistant) {
    throw new AppError('internal_error', { cause: new Error('ASSISTANTS lacks the assistant of a project') });
  }
  return assistant;
}

export function newRun(
  { config }: RunServices,
  { assistantId }: Project,
  threadKey: ThreadKey,
  { metadata }: RunInput,
): Run {
  const createdAt = new Date();
  return {
    ...threadKey,
    runId: newId('run', createdAt),
    assistantId,
    status: 'queued',
    createdAt,
    expiresAt: new Date(createdAt.getTime() + config.runTimeoutSeconds * 1000),
    ...metadataOf(metadata),
  };
}

/**
 * Finds the run that a key started. Waits briefly for a run that is still being submitted: if the engine rejects it, the
 * key becomes free again.
 * @throws {AppError} idempotency_mismatch when the key was used with another request before.
 */
async function findRepeated({ runs }: RunServices, thread: Thread, key: IdempotencyKey | undefined) {
  if (!key) return undefined;
  for (const until = Date.now() + submissionWaitMs; ; await scheduler.wait(submissionPollMs)) {
    const known = await runs.findKey(thread, key);
    if (!known) return undefined;
    if (known.fingerprint !== key.fingerprint) throw new AppError('idempotency_mismatch');
    const run = (await runs.find({ ...thread, runId: known.runId }))?.value;
    const decided = !run || isTerminal(run) || run.responseId !== undefined;
    if (decided || Date.now() >= until) return run;
  }
}

/**
 * Refreshes the active run of a thread.
 * @throws {AppError} thread_busy when it is still active; thread_not_found when the thread was closed in the meantime.
 */
async function refreshActiveRun(services: RunServices, runKey: RunKey) {
  const active = await services.runs.find(runKey);
  const refreshed = active && (await refreshRun(services, active).catch(ignoreRunNotFound));
  if (!refreshed) {
    // One transaction closes a thread and removes its active run, so this is a bug if the thread is open.
    if (!(await services.threads.find(runKey))) throw new AppError('thread_not_found');
    throw new AppError('internal_error', { cause: new Error('a thread names a run that is not there') });
  }
  if (!isTerminal(refreshed.value)) {
    throw new AppError('thread_busy', { activeRun: refreshed.value });
  }
}

/** Claims a thread. A claim whose outcome is unknown is undone, because its run will not be submitted. */
async function claimThread(
  services: RunServices,
  thread: Stored<Thread>,
  run: Run,
  key: IdempotencyKey | undefined,
): Promise<Claim> {
  try {
    return await services.runs.claim(thread, run, key);
  } catch (error) {
    const { workerStores, liveRuns } = services;
    const settledAt = Date.now() + lateClaimMs;
    liveRuns.pending.retry(run.runId, async () => {
      const late = await workerStores.runs.find(run);
      if (late) await workerStores.runs.save(late, failRejected(late.value, new Date()), key);
      else if (Date.now() < settledAt) throw new AppError('unavailable');
    });
    throw error;
  }
}

interface RunSubmission {
  readonly claim: Stored<Run>;
  readonly thread: Thread;
  readonly assistant: Assistant;
  readonly project: Project;
  readonly input: RunInput;
  readonly key: IdempotencyKey | undefined;
}

/**
 * Submits a claimed run to the engine once and records the result. A refused message or instructions fail the run, not
 * the request.
 */
export async function submitRun(
  services: RunServices,
  { claim, thread, key, ...request }: RunSubmission,
): Promise<void> {
  const { value: run } = claim;
  // Sent in parallel with the engine's call, so that it adds no latency.
  const followUp = scheduleFollowUp(services, toFollowUp(run), run.expiresAt);
  const submission = await services.engine.submit(
    { ...request, run, conversationId: thread.conversationId },
    services.deadline.remaining(startMs, recordMs),
  );
  // Usually sent by now. A slow or unavailable queue must not delay the create.
  await waitAtMost(followUpWaitMs, followUp);
  switch (submission.outcome) {
    case 'accepted':
      return recordAccepted(services, claim, submission);
    case 'refused':
      return recordEnd(services, claim, failRejected(run, new Date(), submission.errorCode));
    case 'rejected':
      await recordEnd(services, claim, failRejected(run, new Date(), errorCodeOf(submission.error)), key);
      throw submission.error;
    case 'unknown':
      await recordEnd(services, claim, failOutcomeUnknown(run, new Date()));
      throw submission.error;
  }
}

const errorCodeOf = ({ code }: AppError): RunErrorCode =>
  code === 'rate_limited' ? 'rate_limited' : 'engine_rejected';

/** Records the end of a run that is not active in the engine, retrying in the background if the store fails. */
async function recordEnd(services: RunServices, claim: Stored<Run>, ended: Run, forget?: IdempotencyKey) {
  const save = async () => void (await services.workerStores.runs.save(claim, ended, forget));
  await save().catch(() => services.liveRuns.pending.retry(ended.runId, save));
}

type Accepted = Extract<Submission, { outcome: 'accepted' }>;

/** Records that the engine accepted a run. An unrecorded run could still write to the thread, so it is cancelled. */
async function recordAccepted(services: RunServices, claim: Stored<Run>, accepted: Accepted): Promise<void> {
  const { responseId, state, stream } = accepted;
  const { liveRuns, deadline } = services;
  const submittedAt = new Date();
  const accept = (run: Run) =>
    run.responseId === undefined
      ? applyEngineState({ ...run, responseId, submittedAt }, state, submittedAt)
      : run;
  const save = () => waitWithin(deadline, saveRun(services, claim, accept));
  try {
    const saved = await save().catch(ignoreRunNotFound);
    if (saved?.value.responseId === responseId) return liveRuns.feeds.accept(saved, stream);
  } catch (error) {
    await cancelInEngine(services, claim.value.runId, accepted, async () => {
      await saveRun(services, claim, accept).catch(ignoreRunNotFound);
    });
    throw error;
  }
  // The run was cancelled or the thread deleted before the engine accepted the run.
  await cancelInEngine(services, claim.value.runId, accepted);
}

/** Ignores that a run no longer exists, because its thread was deleted in the meantime. */
const ignoreRunNotFound = (error: unknown): undefined => {
  if (!(error instanceof AppError && error.code === 'run_not_found')) throw error;
};

/**
 * Cancels a run in the engine, retrying in the background if that fails.
 * @param afterwards work to do in the background once the run is cancelled.
 */
async function cancelInEngine(
  { engine, liveRuns, deadline }: RunServices,
  runId: string,
  { responseId, stream }: Accepted,
  afterwards?: () => Promise<void>,
): Promise<void> {
  stream.close();
  let cancelled = false;
  const cancel = async (timeoutMs: number) => {
    // The engine may not know the run yet.
    cancelled ||= (await engine.cancel(responseId, timeoutMs)).status !== 'absent';
    if (!cancelled) throw new AppError('unavailable');
  };
  await cancel(deadline.remaining(recordMs)).catch(() => undefined);
  if (cancelled && !afterwards) return;
  liveRuns.pending.retry(runId, async () => {
    if (!cancelled) await cancel(recordMs);
    await afterwards?.();
  });
}
