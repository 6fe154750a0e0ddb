import { scheduler } from 'node:timers/promises';
import { waitAtMost } from '../deadline.ts';
import { countStoresLeftOut } from '../engine/responseParams.ts';
import { AppError } from '../errors.ts';
import type { LogFacts } from '../failures.ts';
import type { Assistant, AssistantOverrides } from '../model/assistant.ts';
import { type Attachment, isImage, type StoredFile } from '../model/file.ts';
import {
  type IdempotencyKey,
  type Repeatable,
  repetitionMs,
  toIdempotencyKey,
  toRepetitionKey,
} from '../model/idempotencyKey.ts';
import { newId } from '../model/ids.ts';
import { metadataOf } from '../model/metadata.ts';
import type { InputMessage } from '../model/newMessage.ts';
import type { Project } from '../model/project.ts';
import { type Run, type RunErrorCode, type RunInput, type RunKey, roundOf } from '../model/run.ts';
import { failOutcomeUnknown, failRejected, isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { toUnanswered } from '../model/toolCalls.ts';
import type { ToolResources } from '../model/toolResources.ts';
import { maxAttempts, waitAfterConflict } from '../retryConflicts.ts';
import type { Claim } from '../storage/runStore.ts';
import {
  checkCodeFiles,
  codeFilesOf,
  findAttachments,
  findCodeFiles,
  findMessageFiles,
} from './attachments.ts';
import { followUpWaitMs, scheduleFollowUp, toFollowUp } from './followUps.ts';
import { refreshRun } from './refreshRun.ts';
import type { RunServices } from './runServices.ts';
import {
  hasTimeToSubmit,
  ignoreRunNotFound,
  lateClaimMs,
  recordAccepted,
  recordUnaccepted,
  submissionPollMs,
  submissionWaitMs,
  submitRound,
} from './submission.ts';
import { waitForIndexing } from './waitForIndexing.ts';

export interface StartRequest {
  readonly project: Project;
  readonly threadKey: ThreadKey;
  readonly input: RunInput;
  readonly idempotencyKey: string | undefined;
  /** Set for a request that its client may repeat without an idempotency key. */
  readonly repeatable?: Repeatable;
  /** By default the project's own. */
  readonly assistant?: Assistant;
  readonly overrides?: AssistantOverrides;
}

/**
 * Starts a run, or returns the run that the same idempotency key started before.
 * Claims the thread in the store first and then calls the engine once, so that concurrent requests, retries and crashes
 * cannot start a second run.
 * @throws {AppError} thread_not_found, file_not_found, thread_busy, idempotency_mismatch, rate_limited, unavailable, internal_error.
 */
export async function startRun(
  services: RunServices,
  request: StartRequest,
): Promise<{ run: Run; replayed: boolean }> {
  const { project, threadKey, input } = request;
  const assistant = request.assistant ?? findAssistant(services, project.assistantId);
  let files: RunFiles | undefined;
  for (let claims = 0; claims < maxAttempts; ) {
    if (!hasTimeToSubmit(services)) throw new AppError('unavailable');
    const found = await services.threads.find(threadKey);
    if (!found) throw new AppError('thread_not_found');
    const thread = { ...found, value: withCodeFiles(found.value, input) };
    const key = keyOf(request, thread.value);
    if (key?.attempt === 'repeated') {
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
    }
    if (thread.value.activeRunId !== undefined) {
      if (await services.liveRuns.pending.flush(thread.value.activeRunId)) continue;
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
      await refreshActiveRun(services, { ...threadKey, runId: thread.value.activeRunId });
      continue;
    }
    try {
      files ??= await prepareFiles(services, assistant, request, thread.value);
    } catch (error) {
      // The first create may have come before a file was deleted.
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
      throw error;
    }
    claims++;
    const claim = await claimThread(
      services,
      thread,
      newRun(services, assistant, thread.value, input, withAttachments(request, assistant, files)),
      key,
    );
    if (claim === 'conflict') {
      await waitAfterConflict(claims);
      continue;
    }
    if (claim === 'duplicateKey') {
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
      continue;
    }
    await submitRun(services, {
      ...{ claim, thread: thread.value, assistant, project, input, key },
      ...files,
    });
    return { run: claim.value, replayed: false };
  }
  throw new AppError('thread_busy');
}

/** Adds the files that a run's messages bring to those of its thread's code interpreters. */
function withCodeFiles(thread: Thread, { messages = [] }: RunInput): Thread {
  const added = codeFilesOf(messages);
  if (added.length === 0) return thread;
  return { ...thread, codeFiles: checkCodeFiles([...(thread.codeFiles ?? []), ...added]) };
}

/** The files of a run: those of its messages, and those of its thread's code interpreters. */
export interface RunFiles {
  readonly attachments: readonly StoredFile[];
  readonly messages: readonly InputMessage[];
  readonly codeFiles: readonly Attachment[];
}

/** Finds the files of a run, and waits for those that it searches. @throws {AppError} as {@link findMessageFiles}. */
async function prepareFiles(
  services: RunServices,
  assistant: Assistant,
  request: StartRequest,
  thread: Thread,
): Promise<RunFiles> {
  const [files] = await Promise.all([
    findRunFiles(services, request.project.projectId, assistant, request, thread),
    hasTool('file_search', assistant, request.overrides) && waitForIndexing(services, thread),
  ]);
  return files;
}

/** Finds the files of a run. @throws {AppError} as {@link findMessageFiles}. */
export async function findRunFiles(
  services: RunServices,
  projectId: string,
  assistant: Assistant,
  { input, overrides }: Pick<StartRequest, 'input' | 'overrides'>,
  thread: Pick<Thread, 'codeFiles'>,
): Promise<RunFiles> {
  const [attachments, messages, codeFiles] = await Promise.all([
    findAttachments(services, projectId, input.attachments ?? []),
    findMessageFiles(services, projectId, input.messages ?? []),
    findInterpreterFiles(services, projectId, assistant, overrides, thread),
  ]);
  return { attachments, messages, codeFiles };
}

/** Finds the files of a run's code interpreter, if it has one, but for those that its message carries. */
export const findInterpreterFiles = async (
  services: RunServices,
  projectId: string,
  assistant: Assistant,
  overrides: AssistantOverrides | undefined,
  { codeFiles = [] }: Pick<Thread, 'codeFiles'>,
): Promise<Attachment[]> =>
  hasTool('code_interpreter', assistant, overrides)
    ? findCodeFiles(services, projectId, [...new Set([...codeFiles, ...(overrides?.codeFiles ?? [])])])
    : [];

const hasTool = (
  type: 'code_interpreter' | 'file_search',
  assistant: Assistant,
  overrides?: AssistantOverrides,
): boolean => (overrides?.tools ?? assistant.tools ?? []).some((tool) => tool.type === type);

/** Leaves the files that a message carries to the code interpreter of the run's later rounds. */
export function withAttachments(
  { overrides }: Pick<StartRequest, 'overrides'>,
  assistant: Assistant,
  { attachments }: Pick<RunFiles, 'attachments'>,
): AssistantOverrides | undefined {
  const fileIds = attachments.filter(({ mediaType }) => !isImage(mediaType)).map(({ fileId }) => fileId);
  if (fileIds.length === 0 || !hasTool('code_interpreter', assistant, overrides)) return overrides;
  return { ...overrides, codeFiles: [...(overrides?.codeFiles ?? []), ...fileIds] };
}

function keyOf(
  { idempotencyKey, repeatable, input }: StartRequest,
  thread: Thread,
): IdempotencyKey | undefined {
  if (idempotencyKey !== undefined) return toIdempotencyKey(idempotencyKey, input);
  return repeatable && toRepetitionKey(thread.conversationId, repeatable);
}

/** @throws {AppError} internal_error when the assistant is not configured (any more). */
export function findAssistant(services: RunServices, assistantId: string): Assistant {
  const assistant = services.config.assistants.get(assistantId);
  if (!assistant) {
    throw new AppError('internal_error', { logged: { reason: 'assistant_not_configured', assistantId } });
  }
  return assistant;
}

/**
 * Returns the assistant of a run. One that an editor created may have been changed or deleted since; the run's overrides
 * are its definition.
 * @throws {AppError} internal_error when the assistant is neither.
 */
export function assistantOf(services: RunServices, { assistantId, overrides }: Run): Assistant {
  const configured = services.config.assistants.get(assistantId);
  if (configured || overrides?.model === undefined) return findAssistant(services, assistantId);
  return { id: assistantId, name: '', instructions: '', model: overrides.model };
}

/** Returns what the log says of a run that a request started. */
export function toRunFacts({ config }: RunServices, project: Project, run: Run): LogFacts {
  const { threadId, runId, assistantId, overrides } = run;
  const tools = overrides?.tools ?? config.assistants.get(assistantId)?.tools ?? [];
  const leftOut = countStoresLeftOut(tools, project, overrides?.vectorStores);
  return { threadId, runId, ...(leftOut > 0 && { vectorStoresLeftOut: leftOut }) };
}

/** Creates the run of a message, to be claimed. */
export function newRun(
  { config }: RunServices,
  assistant: Assistant,
  thread: Thread,
  { metadata }: RunInput,
  given: AssistantOverrides = {},
): Run {
  const { projectId, threadId, openCalls = [] } = thread;
  const overrides = withVectorStores(given, assistant, thread);
  const createdAt = new Date();
  return {
    projectId,
    threadId,
    runId: newId('run', createdAt),
    assistantId: assistant.id,
    ...(Object.keys(overrides).length > 0 && { overrides }),
    status: 'queued',
    createdAt,
    expiresAt: new Date(createdAt.getTime() + config.runTimeoutSeconds * 1000),
    ...metadataOf(metadata),
    ...(openCalls.length > 0 && { pendingCalls: openCalls }),
  };
}

/**
 * Adds the vector stores of a thread to those of a run, before them; none if it does not search. All rounds of the run keep
 * them.
 */
function withVectorStores(
  { vectorStores: own = [], ...overrides }: AssistantOverrides,
  assistant: Assistant,
  { vectorStores: ofThread = [] }: ToolResources,
): AssistantOverrides {
  const vectorStores = hasTool('file_search', assistant, overrides) ? [...ofThread, ...own] : [];
  return { ...overrides, ...(vectorStores.length > 0 && { vectorStores }) };
}

/**
 * Finds the run that a key started. Waits briefly for a run that is still being submitted: if the engine rejects it, the
 * key becomes free again.
 * @throws {AppError} idempotency_mismatch when the key was used with another request before.
 */
async function findRepeated({ runs }: RunServices, thread: Thread, key: IdempotencyKey | undefined) {
  if (!key || key.attempt === 'first') return undefined;
  for (const until = Date.now() + submissionWaitMs; ; await scheduler.wait(submissionPollMs)) {
    const known = await runs.findKey(thread, key);
    if (!known) return undefined;
    if (known.fingerprint !== key.fingerprint) throw new AppError('idempotency_mismatch');
    const run = (await runs.find({ ...thread, runId: known.runId }))?.value;
    if (key.attempt && (!run || Date.now() - run.createdAt.getTime() > repetitionMs)) return undefined;
    const decided = !run || isTerminal(run) || run.responseId !== undefined || roundOf(run) > 0;
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

interface RunSubmission extends RunFiles {
  readonly claim: Stored<Run>;
  readonly thread: Thread;
  readonly assistant: Assistant;
  readonly project: Project;
  readonly input: RunInput;
  readonly key: IdempotencyKey | undefined;
}

/**
 * Submits a claimed run to the engine once and records the result. A refused message or instructions fail the run, not
 * the request. Carries an output for each call that the run before left unanswered.
 */
export async function submitRun(
  services: RunServices,
  { claim, thread, key, ...request }: RunSubmission,
): Promise<void> {
  const { value: run } = claim;
  // Sent in parallel with the engine's call, so that it adds no latency.
  const followUp = scheduleFollowUp(services, toFollowUp(run), run.expiresAt);
  const { conversationId, openCalls = [] } = thread;
  const outputs = openCalls.map(toUnanswered);
  const submission = await submitRound(services, { ...request, run, conversationId, outputs });
  // Usually sent by now. A slow or unavailable queue must not delay the create.
  await waitAtMost(followUpWaitMs, followUp);
  switch (submission.outcome) {
    case 'accepted':
      await recordAccepted(services, claim, submission);
      return;
    case 'refused':
      await recordUnaccepted(services, claim, failRejected(run, new Date(), submission.errorCode));
      return;
    case 'rejected':
      await recordUnaccepted(
        services,
        claim,
        failRejected(run, new Date(), errorCodeOf(submission.error)),
        key,
      );
      throw submission.error;
    case 'unknown':
      await recordUnaccepted(services, claim, failOutcomeUnknown(run, new Date()));
      throw submission.error;
  }
}

const errorCodeOf = ({ code }: AppError): RunErrorCode =>
  code === 'rate_limited' ? 'rate_limited' : 'engine_rejected';
