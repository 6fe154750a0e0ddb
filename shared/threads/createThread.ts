import { scheduler } from 'node:timers/promises';
import { waitAtMost } from '../deadline.ts';
import { AppError, hasCode } from '../errors.ts';
import {
  type IdempotencyKey,
  type Repeatable,
  repetitionMs,
  toRepetitionKey,
  toThreadCreationKey,
} from '../model/idempotencyKey.ts';
import { newId } from '../model/ids.ts';
import { type Metadata, metadataOf } from '../model/metadata.ts';
import type { Project } from '../model/project.ts';
import type { Reservation } from '../model/reservation.ts';
import { type Run, type RunInput, type RunKey, roundOf } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread } from '../model/thread.ts';
import type { ToolResources } from '../model/toolResources.ts';
import { checkCodeFiles, codeFilesOf, findAttachments, findMessageFiles } from '../runs/attachments.ts';
import { followUpWaitMs, scheduleFollowUp } from '../runs/followUps.ts';
import type { RunServices } from '../runs/runServices.ts';
import { findAssistant, findRunFiles, newRun, submitRun, withAttachments } from '../runs/startRun.ts';
import { hasTimeToSubmit, submissionPollMs, submissionWaitMs } from '../runs/submission.ts';
import type { IndexEntry } from '../storage/threadIndex.ts';
import { deleteThread } from './deleteThread.ts';
import { appendFirstMessages, recordFirstMessages } from './firstMessages.ts';
import type { LabelledMessage } from './messageRecords.ts';

/** The tool resources hold vector stores that the project is known to have. */
export interface CreateThreadRequest extends ToolResources {
  readonly project: Project;
  readonly metadata: Metadata;
  /** Messages to begin with, which start no run. */
  readonly messages?: readonly LabelledMessage[];
  /** The first message, if there is one. */
  readonly input: RunInput | undefined;
  readonly idempotencyKey: string | undefined;
  /** Set for a request that its client may repeat without an idempotency key. */
  readonly repeatable?: Repeatable;
}

export interface CreatedThread {
  readonly thread: Thread;
  /** The run of the first message. */
  readonly run?: Run;
  /** Whether an earlier request with the same idempotency key created them. */
  readonly replayed: boolean;
}

/** Timeouts of the engine's calls, in milliseconds. */
const openMs = 20_000;
const undoMs = 4_000;

/** Time reserved for starting the first run, in milliseconds. */
const startMs = 8_000;

/** Age after which no request can be creating the thread of a reservation, in milliseconds; twice a request's time. */
const reservedMs = 60_000;

/** Maximum attempts. An attempt is repeated only after another request with the same idempotency key made progress. */
const maxAttempts = 5;

/**
 * Creates a thread: an entry in its project's index and the engine's conversation, then the thread itself, in one
 * transaction with the run of its first message, if there is one. That run is then submitted like any other. Requests
 * with the same idempotency key use the same ids, so only one of them can add the thread.
 * @throws {AppError} idempotency_mismatch, rate_limited, unavailable or internal_error. The thread then does not exist,
 * or it is valid: empty if the outcome of a store operation is unknown, with its failed run if the outcome of the run is
 * unknown and the request has an idempotency key.
 */
export async function createThread(
  services: RunServices,
  request: CreateThreadRequest,
): Promise<CreatedThread> {
  const { project } = request;
  const { projectId } = project;
  const key = await keyOf(services, request);
  for (let attempts = 0; attempts < maxAttempts; attempts++) {
    const ids = newIds();
    if (!key) return { ...(await open(services, request, ids)), replayed: false };
    const own = { ...ids, rowKey: key.rowKey, fingerprint: key.fingerprint };
    const known = await services.reservations.reserve(projectId, own);
    if (!known) continue;
    let reservation: Reservation = known;
    if (known.threadId !== own.threadId && isAnothers(known, key)) {
      reservation = { ...own, ambiguous: isRecent(known) };
      await services.reservations.replace(projectId, reservation);
    } else if (known.threadId !== own.threadId) {
      const earlier = await findEarlier(services, request, known, key);
      if (earlier === 'released') continue;
      if (earlier) return { ...earlier, replayed: true };
    }
    const created = await open(services, request, reservation).catch(ignoreOvertaken);
    if (created) return { ...created, replayed: false };
  }
  throw new AppError('unavailable');
}

async function keyOf(
  { secrets }: RunServices,
  { project, metadata, input, idempotencyKey, repeatable }: CreateThreadRequest,
): Promise<IdempotencyKey | undefined> {
  if (idempotencyKey !== undefined) return toThreadCreationKey(idempotencyKey, metadata, input);
  return repeatable && toRepetitionKey(await secrets.open(project.projectId), repeatable);
}

/** Returns whether a reservation is, or may be, that of an earlier request that only looked the same. */
const isAnothers = (reservation: Reservation, { attempt }: IdempotencyKey): boolean =>
  attempt === 'first' || (attempt === 'repeated' && (!!reservation.ambiguous || !isRecent(reservation)));

const isRecent = ({ createdAt }: Reservation): boolean => Date.now() - createdAt.getTime() <= repetitionMs;

/** The ids of a new thread. */
type NewIds = Pick<Reservation, 'threadId' | 'runId' | 'createdAt'> & Partial<IdempotencyKey>;

function newIds(): NewIds {
  const createdAt = new Date();
  return { threadId: newId('thread', createdAt), runId: newId('run', createdAt), createdAt };
}

/** Thrown when another request with the same idempotency key has added the thread. */
class Overtaken extends Error {}

const ignoreOvertaken = (error: unknown): undefined => {
  if (!(error instanceof Overtaken)) throw error;
};

type Opened = Omit<CreatedThread, 'replayed'>;

/**
 * Finds what an earlier request with the same idempotency key created.
 * @returns undefined if there is nothing yet: this request then creates it with the same ids; `released` if the earlier
 * request has failed, and the key is free again.
 * @throws {AppError} idempotency_mismatch when the key was used with another request before.
 */
async function findEarlier(
  services: RunServices,
  { project: { projectId }, metadata, input }: CreateThreadRequest,
  reservation: Reservation,
  { fingerprint }: IdempotencyKey,
): Promise<Opened | 'released' | undefined> {
  const { threadId, runId, createdAt } = reservation;
  const thread = (await services.threads.find({ projectId, threadId }))?.value;
  const isOver =
    !thread &&
    (Date.now() - createdAt.getTime() > reservedMs ||
      (await services.threads.findClosed({ projectId, threadId })) !== undefined);
  if (isOver) {
    await services.reservations.release(projectId, reservation);
    return 'released';
  }
  if (reservation.fingerprint !== fingerprint) throw new AppError('idempotency_mismatch');
  if (!thread) return undefined;
  // As it was created: its metadata may have been changed since.
  const { metadata: _, ...created } = thread;
  const asCreated = { ...created, ...metadataOf(metadata) };
  if (!input) return { thread: asCreated };
  const run = await findSubmitted(services, { projectId, threadId, runId });
  return run ? { thread: asCreated, run } : 'released';
}

/**
 * Finds the run of a first message. Waits briefly if it is still being submitted, or if the engine rejected it: its
 * thread is then about to be deleted.
 * @returns undefined when it does not exist any more.
 */
async function findSubmitted({ runs }: RunServices, runKey: RunKey): Promise<Run | undefined> {
  for (const until = Date.now() + submissionWaitMs; ; await scheduler.wait(submissionPollMs)) {
    const run = (await runs.find(runKey))?.value;
    const isDecided =
      !run || (isTerminal(run) ? !isRejected(run) : run.responseId !== undefined || roundOf(run) > 0);
    if (isDecided || Date.now() >= until) return run;
  }
}

/** Returns whether nothing was started in the engine for a run, and not because of what people wrote. */
const isRejected = ({ responseId, errorCode }: Run): boolean =>
  responseId === undefined && (errorCode === 'engine_rejected' || errorCode === 'rate_limited');

/**
 * Opens a thread with the given ids, and starts the run of its first message.
 * @throws {Overtaken} when another request has opened it.
 */
async function open(services: RunServices, request: CreateThreadRequest, ids: NewIds): Promise<Opened> {
  const { engine, threads, deadline } = services;
  const { project, metadata, input, messages = [], vectorStores = [] } = request;
  const { threadId, runId, createdAt, rowKey: creationKey } = ids;
  const { projectId } = project;
  const assistant = input && findAssistant(services, project.assistantId);
  const codeFiles = checkCodeFiles([...(request.codeFiles ?? []), ...codeFilesOf(messages)]);
  const [files, firstMessages] = await Promise.all([
    input && assistant && findRunFiles(services, projectId, assistant, { input }, { codeFiles }),
    findMessageFiles(services, projectId, messages),
    findAttachments(services, projectId, request.codeFiles ?? []),
  ]);
  const newThread = { projectId, threadId, createdAt, ...metadataOf(metadata) };
  const [conversation, entry] = await Promise.allSettled([
    engine.openConversation(
      { projectId, threadId },
      deadline.remaining(openMs, 3 * undoMs + (input ? startMs : 0)),
    ),
    threads.addToIndex(newThread),
  ]);
  if (conversation.status === 'rejected') {
    // With a key, another request may have opened the thread, and relies on the entry.
    if (creationKey === undefined) await threads.removeFromIndex(newThread).catch(() => undefined);
    throw conversation.reason;
  }
  const conversationId = conversation.value;
  const thread = {
    ...{ ...newThread, conversationId },
    ...(creationKey !== undefined && { creationKey }),
    ...(codeFiles.length > 0 && { codeFiles }),
    ...(vectorStores.length > 0 && { vectorStores }),
  };
  if (entry.status === 'rejected') {
    await removeConversation(services, thread);
    throw entry.reason;
  }
  const itemIds = await appendFirstMessages(services, thread, firstMessages).catch(async (error) => {
    await removeConversation(services, thread);
    // As above.
    if (creationKey === undefined) await threads.removeFromIndex(newThread).catch(() => undefined);
    throw toCreateError(error);
  });
  if (!input || !assistant || !files) {
    await addThread(services, thread, () => threads.add(thread, entry.value));
    await recordFirstMessages(services, thread, messages, itemIds);
    return { thread };
  }
  const overrides = withAttachments({}, assistant, files);
  const run = { ...newRun(services, assistant, thread, input, overrides), runId };
  const claim = await addThread(services, thread, () => addWithRun(services, thread, run, entry.value));
  const submission = { claim, thread, assistant, project, input, ...files, key: undefined };
  await submitRun(services, submission).catch(async (error) => {
    await undoUnlessKept(services, thread, run);
    throw toCreateError(error);
  });
  return { thread, run };
}

function addWithRun(services: RunServices, thread: Thread, run: Run, entry: IndexEntry) {
  if (!hasTimeToSubmit(services)) throw new AppError('unavailable');
  return services.threads.addWithRun(thread, run, entry);
}

/** Adds a thread to the store, and undoes its create if that fails. */
async function addThread<T>(
  services: RunServices,
  thread: Thread,
  add: () => Promise<T | 'exists'>,
): Promise<T> {
  let added: T | 'exists';
  try {
    added = await add();
  } catch (error) {
    await undoCreate(services, thread);
    throw error;
  }
  if (added !== 'exists') return added;
  await removeConversation(services, thread);
  throw new Overtaken();
}

/** Undoes a create. Closes the thread before removing its conversation, because the store may still execute the addition. */
async function undoCreate(services: RunServices, thread: Thread): Promise<void> {
  const { threads, reservations } = services;
  const { projectId, threadId, creationKey: rowKey } = thread;
  // The closed row blocks a late addition; the follow-up removes it once none can arrive.
  const followUp = scheduleFollowUp(services, { kind: 'deletion', projectId, threadId, attempt: 1 });
  try {
    await threads.abandon(thread);
    await Promise.all([
      removeConversation(services, thread),
      rowKey === undefined
        ? threads.removeFromIndex(thread).catch(() => undefined)
        : reservations.release(projectId, { rowKey, threadId }).catch(() => undefined),
    ]);
  } catch {
    // The thread may exist, so keep its conversation.
  }
  await waitAtMost(followUpWaitMs, followUp);
}

/**
 * Deletes a thread whose first run was not started. If the outcome of the run is unknown, an idempotency key keeps both:
 * a repeated create must not start a second run.
 */
async function undoUnlessKept(services: RunServices, thread: Thread, run: Run): Promise<void> {
  const { projectId, threadId, creationKey } = thread;
  const recorded: Stored<Run> | undefined = await services.runs.find(run).catch(() => undefined);
  const isKept = creationKey !== undefined && !(recorded && isRejected(recorded.value));
  if (isKept) return;
  const followUp = scheduleFollowUp(services, { kind: 'deletion', projectId, threadId, attempt: 0 });
  await deleteThread(services, thread).catch(() => undefined);
  await waitAtMost(followUpWaitMs, followUp);
}

/** Translates an error of a new thread: its conversation is neither missing nor busy for long, whatever the engine says. */
export const toCreateError = (error: unknown): unknown =>
  hasCode(error, 'thread_busy', 'thread_not_found')
    ? new AppError('unavailable', { cause: error.options.cause })
    : error;

const removeConversation = ({ engine, deadline }: RunServices, { conversationId }: Thread) =>
  engine.removeConversation(conversationId, deadline.remaining(undoMs)).catch(() => undefined);
