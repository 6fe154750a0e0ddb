import { settleWithin } from '../deadline.ts';
import type { MessagePage } from '../engine/engine.ts';
import { AppError, fieldError } from '../errors.ts';
import { newId } from '../model/ids.ts';
import { openMessageId, sealMessageId } from '../model/messageId.ts';
import type { Run } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { followUpWaitMs, scheduleFollowUp } from '../runs/followUps.ts';
import { refreshRun } from '../runs/refreshRun.ts';
import type { RunServices } from '../runs/runServices.ts';

/** Each for a call to the engine. */
const openMs = 20_000;
const listMs = 10_000;
const undoMs = 4_000;

/**
 * Opens a thread: an entry in its project's index and the engine's conversation, then the thread itself.
 * @throws {AppError} rate_limited, unavailable or internal_error; there is no such thread then, or a valid empty one
 * when the store failed in a way that leaves it open.
 */
export async function createThread(services: RunServices, projectId: string): Promise<Thread> {
  const { engine, threads, deadline } = services;
  const createdAt = new Date();
  const threadId = newId('thread', createdAt);
  const [conversation, entry] = await Promise.allSettled([
    engine.openConversation({ projectId, threadId }, deadline.remaining(openMs, 3 * undoMs)),
    threads.addToIndex({ projectId, threadId, createdAt }),
  ]);
  if (conversation.status === 'rejected') {
    await threads.removeFromIndex({ projectId, threadId, createdAt }).catch(() => undefined);
    throw conversation.reason;
  }
  const thread = { threadId, projectId, createdAt, conversationId: conversation.value };
  if (entry.status === 'rejected') {
    await removeConversation(services, thread);
    throw entry.reason;
  }
  try {
    await threads.add(thread, entry.value);
  } catch (error) {
    await undoCreate(services, thread);
    throw error;
  }
  return thread;
}

/** The store may still carry out what it did not confirm, so the thread is closed before its conversation is removed. */
async function undoCreate(services: RunServices, thread: Thread): Promise<void> {
  const { threads } = services;
  const { projectId, threadId } = thread;
  // A closed row keeps a late one out; when nothing can come any more, the follow-up removes it.
  const followUp = scheduleFollowUp(services, { kind: 'deletion', projectId, threadId, attempt: 1 });
  try {
    await threads.abandon(thread);
    await Promise.all([
      removeConversation(services, thread),
      threads.removeFromIndex(thread).catch(() => undefined),
    ]);
  } catch {
    // The thread may be there, and then needs its conversation.
  }
  await settleWithin(followUpWaitMs, followUp);
}

const removeConversation = ({ engine, deadline }: RunServices, { conversationId }: Thread) =>
  engine.removeConversation(conversationId, deadline.remaining(undoMs)).catch(() => undefined);

export interface CurrentThread {
  readonly thread: Thread;
  /** The run that `activeRunId` names. */
  readonly activeRun: Run | undefined;
}

/**
 * A thread as it stands now: its active run is brought up to date first, so that messages read after it
 * hold the answer of a run that is no longer active.
 * @throws {AppError} thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function findCurrentThread(services: RunServices, threadKey: ThreadKey): Promise<CurrentThread> {
  const stored = await services.threads.find(threadKey);
  if (!stored) throw new AppError('thread_not_found');
  const { activeRunId, ...idle } = stored.value;
  if (activeRunId === undefined) return { thread: idle, activeRun: undefined };
  const active = await services.runs.find({ ...threadKey, runId: activeRunId });
  const run = active && (await refreshRun(services, active).catch(threadClosed)).value;
  // A thread and its active run go together: it was closed in between.
  if (!run) throw new AppError('thread_not_found');
  return isTerminal(run) ? { thread: idle, activeRun: undefined } : { thread: stored.value, activeRun: run };
}

function threadClosed(error: unknown): never {
  throw error instanceof AppError && error.code === 'run_not_found'
    ? new AppError('thread_not_found')
    : error;
}

/**
 * A page of a thread's messages, oldest first.
 * @param after a message id of this thread; the page starts behind it.
 * @throws {AppError} invalid_request for an `after` that is none; thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function listMessages(
  { engine, deadline }: RunServices,
  { conversationId }: Thread,
  { after, limit }: { after: string | null; limit: number },
): Promise<MessagePage> {
  const itemId = after === null ? undefined : openMessageId(conversationId, after);
  if (after !== null && itemId === undefined) {
    throw fieldError('After', 'The field After must be the messageId of a message of this thread.');
  }
  const page = await engine.listMessages(
    conversationId,
    { limit, ...(itemId !== undefined && { after: itemId }) },
    deadline.remaining(listMs),
  );
  const seal = (id: string) => sealMessageId(conversationId, id);
  return {
    ...page,
    messages: page.messages.map((message) => ({ ...message, messageId: seal(message.messageId) })),
    lastId: page.lastId && seal(page.lastId),
  };
}
