import { scheduler } from 'node:timers/promises';
import { settleWithin, waitWithin } from '../deadline.ts';
import type { Submission } from '../engine/engine.ts';
import { AppError } from '../errors.ts';
import type { Assistant } from '../model/assistant.ts';
import { type IdempotencyKey, toIdempotencyKey } from '../model/idempotencyKey.ts';
import { newId } from '../model/ids.ts';
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

/** Longest wait for the engine to accept a run. */
const startMs = 20_000;

/** Kept back from it, to record what came of it. */
const recordMs = 5_000;

/** With less time than this for the engine, a run is better not started than lost. */
const leastStartMs = 3_000;

/** How long a repeated create waits for the first one to be submitted, in milliseconds. */
const submissionWaitMs = 2_000;
const submissionPollMs = 250;

/** How long a claim whose outcome is unknown may still be carried out by the store, in milliseconds. */
const lateClaimMs = 10_000;

/** A claim is tried again only when another request got in between; each one that did made progress. */
const maxClaims = 3;

/**
 * Starts a run, or finds the one that the same key started before.
 * The thread is claimed in the store first and the engine asked once after that, so neither two requests at a time nor
 * a repeated one nor a crash can start two.
 * @throws {AppError} thread_not_found, thread_busy, idempotency_mismatch, rate_limited, unavailable, internal_error.
 */
export async function startRun(
  services: RunServices,
  { project, threadKey, input, idempotencyKey }: StartRequest,
): Promise<{ run: Run; replayed: boolean }> {
  const assistant = findAssistant(services, project);
  const key = idempotencyKey === undefined ? undefined : toIdempotencyKey(idempotencyKey, input);
  for (let claims = 0; claims < maxClaims; ) {
    if (services.deadline.remaining(startMs, recordMs) < leastStartMs) throw new AppError('unavailable');
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
    const claim = await claimThread(services, thread, newRun(services, project, threadKey), key);
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

function findAssistant(services: RunServices, project: Project): Assistant {
  const assistant = services.config.assistants.get(project.assistantId);
  if (!assistant) {
    throw new AppError('internal_error', { cause: new Error('ASSISTANTS lacks the assistant of a project') });
  }
  return assistant;
}

function newRun({ config }: RunServices, { assistantId }: Project, threadKey: ThreadKey): Run {
  const createdAt = new Date();
  return {
    ...threadKey,
    runId: newId('run', createdAt),
    assistantId,
    status: 'queued',
    createdAt,
    expiresAt: new Date(createdAt.getTime() + config.runTimeoutSeconds * 1000),
  };
}

/**
 * Finds the run that a key started. One that is just being submitted is waited for a moment: should the engine reject
 * it, the key is free again.
 * @throws {AppError} idempotency_mismatch when the key came with another request before.
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

/** @throws {AppError} thread_busy while the run is unfinished; thread_not_found when the thread was closed meanwhile. */
async function refreshActiveRun(services: RunServices, runKey: RunKey) {
  const active = await services.runs.find(runKey);
  const refreshed = active && (await refreshRun(services, active).catch(ignoreGone));
  if (!refreshed) {
    // One transaction closes a thread and removes its active run. Of an open one it would be a fault of ours.
    if (!(await services.threads.find(runKey))) throw new AppError('thread_not_found');
    throw new AppError('internal_error', { cause: new Error('a thread names a run that is not there') });
  }
  if (!isTerminal(refreshed.value)) {
    throw new AppError('thread_busy', { activeRun: refreshed.value });
  }
}

/** Claims a thread. A claim whose outcome is unknown is undone, since nothing of its run will reach the engine. */
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
 * Hands a claimed run to the engine, once, and records what became of it. That the engine refused what people wrote is
 * the run's outcome and no error.
 */
async function submitRun(
  services: RunServices,
  { claim, thread, key, ...request }: RunSubmission,
): Promise<void> {
  const { value: run } = claim;
  // Beside the engine's call, so that it costs a create no time.
  const followUp = scheduleFollowUp(services, toFollowUp(run), run.expiresAt);
  const submission = await services.engine.submit(
    { ...request, run, conversationId: thread.conversationId },
    services.deadline.remaining(startMs, recordMs),
  );
  // As a rule it has been sent by now. A queue that is slow or unavailable holds no create up.
  await settleWithin(followUpWaitMs, followUp);
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

/** Records the end of a run that the engine is not working on; now, or as soon as the store can. */
async function recordEnd(services: RunServices, claim: Stored<Run>, ended: Run, forget?: IdempotencyKey) {
  const save = async () => void (await services.workerStores.runs.save(claim, ended, forget));
  await save().catch(() => services.liveRuns.pending.retry(ended.runId, save));
}

type Accepted = Extract<Submission, { outcome: 'accepted' }>;

/** Records that the engine has accepted a run. A run that no record leads to could still write to the thread. */
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
    const saved = await save().catch(ignoreGone);
    if (saved?.value.responseId === responseId) return liveRuns.feeds.accept(saved, stream);
  } catch (error) {
    await stopInEngine(services, claim.value.runId, accepted, async () => {
      await saveRun(services, claim, accept).catch(ignoreGone);
    });
    throw error;
  }
  // Somebody cancelled the run or deleted the thread before the engine had accepted it.
  await stopInEngine(services, claim.value.runId, accepted);
}

/** Of a run whose thread has been deleted meanwhile. */
const ignoreGone = (error: unknown): undefined => {
  if (!(error instanceof AppError && error.code === 'run_not_found')) throw error;
};

/**
 * Cancels a run in the engine, now or as soon as that can be done.
 * @param afterwards what is to be done in the background when it is cancelled.
 */
async function stopInEngine(
  { engine, liveRuns, deadline }: RunServices,
  runId: string,
  { responseId, stream }: Accepted,
  afterwards?: () => Promise<void>,
): Promise<void> {
  stream.close();
  let stopped = false;
  const stop = async (timeoutMs: number) => {
    // The engine may not show the run yet.
    stopped ||= (await engine.cancel(responseId, timeoutMs)).status !== 'absent';
    if (!stopped) throw new AppError('unavailable');
  };
  await stop(deadline.remaining(recordMs)).catch(() => undefined);
  if (stopped && !afterwards) return;
  liveRuns.pending.retry(runId, async () => {
    if (!stopped) await stop(recordMs);
    await afterwards?.();
  });
}
