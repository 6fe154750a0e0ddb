import { randomBytes } from 'node:crypto';
import { scheduler } from 'node:timers/promises';
import type { RunRequest } from '../engine/responseParams.ts';
import { AppError } from '../errors.ts';
import type { Project } from '../model/project.ts';
import type { Run, RunKey } from '../model/run.ts';
import {
  claimRound,
  failOutcomeUnknown,
  failRejected,
  isUnsubmitted,
  isWaiting,
  revertClaim,
} from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { type ToolOutputs, toSubmissionFingerprint } from '../model/toolCalls.ts';
import { findRun } from './findRun.ts';
import { checkSize, matchOutputs } from './matchOutputs.ts';
import { refreshRun } from './refreshRun.ts';
import { findWaitingRound } from './requiredAction.ts';
import type { RunServices } from './runServices.ts';
import { assistantOf, findInterpreterFiles } from './startRun.ts';
import {
  hasTimeToSubmit,
  lateClaimMs,
  pendingKey,
  recordAccepted,
  recordUnaccepted,
  submissionPollMs,
  submissionWaitMs,
  submitRound,
} from './submission.ts';

export interface SubmitRequest {
  readonly project: Project;
  readonly runKey: RunKey;
  readonly outputs: ToolOutputs;
}

/** Maximum attempts to claim a round. An attempt is repeated only after another request has changed the run. */
const maxClaims = 3;

/**
 * Submits the outputs that a run waits for, which starts its next round; or returns the run if the same outputs were
 * submitted before. As for a create, the round is claimed in the store first and the engine then called once, so that
 * concurrent requests, retries and crashes cannot start a second one.
 * @throws {AppError} thread_not_found, run_not_found, run_not_waiting, invalid_request, thread_busy, rate_limited,
 * unavailable, internal_error.
 */
export async function submitOutputs(
  services: RunServices,
  { project, runKey, outputs }: SubmitRequest,
): Promise<{ stored: Stored<Run>; replayed: boolean }> {
  checkSize(outputs);
  for (let claims = 0; claims < maxClaims; claims++) {
    if (!hasTimeToSubmit(services)) throw new AppError('unavailable');
    const [found, thread] = await Promise.all([services.runs.find(runKey), services.threads.find(runKey)]);
    if (!thread) throw new AppError('thread_not_found');
    if (!found) throw new AppError('run_not_found');
    const { conversationId } = thread.value;
    const isPending = found.value.responseId === undefined;
    if (isPending && (await services.liveRuns.pending.flush(pendingKey(found.value)))) continue;
    const fingerprint = toSubmissionFingerprint(conversationId, outputs);
    if (found.value.submissions?.includes(fingerprint)) {
      const earlier = await awaitSubmission(services, found, fingerprint);
      if (earlier) return { stored: earlier, replayed: true };
      continue;
    }
    // An overdue run does not wait any more.
    const stored = isWaiting(found.value) ? await refreshRun(services, found) : found;
    if (!isWaiting(stored.value)) throw new AppError('run_not_waiting');
    const matched = matchOutputs(conversationId, stored.value.pendingCalls ?? [], outputs);
    const { round } = await findWaitingRound(services, stored);
    if (!round) throw new AppError('run_not_waiting');
    const assistant = assistantOf(services, stored.value);
    const { overrides } = stored.value;
    const codeFiles = await findInterpreterFiles(
      services,
      project.projectId,
      assistant,
      overrides,
      thread.value,
    );
    const claim = await claimNextRound(services, stored, fingerprint);
    if (!claim) continue;
    const { instructions } = round;
    const request = { assistant, project, conversationId, instructions, codeFiles, outputs: matched };
    const submitted = await submitClaim(services, claim, request);
    return { stored: submitted ?? (await findRun(services, runKey)), replayed: false };
  }
  throw new AppError('unavailable');
}

/**
 * Waits briefly for the first of several equal submissions: if the engine rejects it, the run waits again.
 * @returns the run; undefined if it waits again.
 */
async function awaitSubmission({ runs }: RunServices, first: Stored<Run>, fingerprint: string) {
  let current: Stored<Run> | undefined = first;
  for (const until = Date.now() + submissionWaitMs; ; current = await runs.find(first.value)) {
    if (!current?.value.submissions?.includes(fingerprint)) return undefined;
    if (!isUnsubmitted(current.value, current.value) || Date.now() >= until) return current;
    await scheduler.wait(submissionPollMs);
  }
}

/**
 * Claims the next round of a waiting run. A claim whose outcome is unknown is undone, because its outputs will not be
 * submitted.
 * @returns undefined when another request has changed the run.
 */
async function claimNextRound(
  services: RunServices,
  stored: Stored<Run>,
  fingerprint: string,
): Promise<Stored<Run> | undefined> {
  const { runs, liveRuns } = services;
  const claimId = randomBytes(12).toString('hex');
  const next = claimRound(stored.value, { claimId, fingerprint, now: new Date() });
  try {
    // The client retries a save whose response was lost, and then conflicts with its own first attempt.
    const claim = (await runs.save(stored, next)) ?? (await findClaim(services, next));
    if (claim) liveRuns.feeds.recorded(claim);
    return claim;
  } catch (error) {
    undoLater(services, next);
    throw error;
  }
}

async function findClaim(
  { runs }: Pick<RunServices, 'runs'>,
  claimed: Run,
): Promise<Stored<Run> | undefined> {
  const current = await runs.find(claimed);
  return current && isUnsubmitted(current.value, claimed) ? current : undefined;
}

function undoLater({ workerStores, liveRuns }: RunServices, claimed: Run): void {
  const settledAt = Date.now() + lateClaimMs;
  liveRuns.pending.retry(pendingKey(claimed), async () => {
    const late = await findClaim(workerStores, claimed);
    const isUndone = late && (await workerStores.runs.save(late, revertClaim(late.value)));
    if (!isUndone && Date.now() < settledAt) throw new AppError('unavailable');
  });
}

/**
 * Submits a claimed round to the engine and records the result. Refused outputs, and a vector store that was lost, fail
 * the run, not the request; after another certain rejection the run waits again.
 * @returns the run; undefined when somebody else has changed it.
 */
async function submitClaim(
  services: RunServices,
  claim: Stored<Run>,
  request: Omit<RunRequest, 'run'>,
): Promise<Stored<Run> | undefined> {
  const { value: run } = claim;
  const submission = await submitRound(services, { ...request, run });
  switch (submission.outcome) {
    case 'accepted':
      return recordAccepted(services, claim, submission);
    case 'refused':
      return recordUnaccepted(services, claim, failRejected(run, new Date(), submission.errorCode));
    case 'rejected':
      if (submission.isStoreLost) {
        // Every round of a run searches the same vector stores, so no other submission can succeed.
        return recordUnaccepted(services, claim, failRejected(run, new Date(), 'vector_store_not_found'));
      }
      await recordUnaccepted(services, claim, revertClaim(run));
      throw submission.error;
    case 'unknown':
      await recordUnaccepted(services, claim, failOutcomeUnknown(run, new Date()));
      throw submission.error;
  }
}
