import { waitAtMost } from '../deadline.ts';
import { AppError, fieldError } from '../errors.ts';
import { newId } from '../model/ids.ts';
import type { Message } from '../model/message.ts';
import { openMessageId, sealMessageId } from '../model/messageId.ts';
import type { Run } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { followUpWaitMs, scheduleFollowUp } from '../runs/followUps.ts';
import { refreshRun } from '../runs/refreshRun.ts';
import type { RunServices } from '../runs/runServices.ts';
import { type MessageServices, toMessages } from './messages.ts';

/** Timeouts of the engine's calls, in milliseconds. */
const openMs = 20_000;
const listMs = 10_000;
const undoMs = 4_000;

/**
 * Creates a thread: an entry in its project's index and the engine's conversation, then the thread itself.
 * @throws {AppError} rate_limited, unavailable or internal_error. The thread then does not exist, or is valid and empty
 * if the outcome of a store operation is unknown.
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

/** Undoes a create. Closes the thread before removing its conversation, because the store may still execute the addition. */
async function undoCreate(services: RunServices, thread: Thread): Promise<void> {
  const { threads } = services;
  const { projectId, threadId } = thread;
  // The closed row blocks a late addition; the follow-up removes it once none can arrive.
  const followUp = scheduleFollowUp(services, { kind: 'deletion', projectId, threadId, attempt: 1 });
  try {
    await threads.abandon(thread);
    await Promise.all([
      removeConversation(services, thread),
      threads.removeFromIndex(thread).catch(() => undefined),
    ]);
  } catch {
    // The thread may exist, so keep its conversation.
  }
  await waitAtMost(followUpWaitMs, followUp);
}

const removeConversation = ({ engine, deadline }: RunServices, { conversationId }: Thread) =>
  engine.removeConversation(conversationId, deadline.remaining(undoMs)).catch(() => undefined);

/** An up-to-date thread with its active run. */
export interface CurrentThread {
  readonly thread: Thread;
  /** The run with the id `activeRunId`. */
  readonly activeRun: Run | undefined;
}

/**
 * Returns a thread after refreshing its active run. If the run has ended, messages read afterwards include its reply.
 * @throws {AppError} thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function findCurrentThread(services: RunServices, threadKey: ThreadKey): Promise<CurrentThread> {
  const stored = await services.threads.find(threadKey);
  if (!stored) throw new AppError('thread_not_found');
  const { activeRunId, ...idle } = stored.value;
  if (activeRunId === undefined) return { thread: idle, activeRun: undefined };
  const active = await services.runs.find({ ...threadKey, runId: activeRunId });
  const run = active && (await refreshRun(services, active).catch(threadClosed)).value;
  // The thread and its active run are removed together, so the thread was closed in the meantime.
  if (!run) throw new AppError('thread_not_found');
  return isTerminal(run) ? { thread: idle, activeRun: undefined } : { thread: stored.value, activeRun: run };
}

function threadClosed(error: unknown): never {
  throw error instanceof AppError && error.code === 'run_not_found'
    ? new AppError('thread_not_found')
    : error;
}

/** A page of a thread's messages. */
export interface MessagePage {
  readonly messages: readonly Message[];
  /** Whether more messages may follow. True is possible even for a short or empty page. */
  readonly hasMore: boolean;
  /** Cursor of the next page. */
  readonly lastId: string | undefined;
}

/**
 * Returns a page of a thread's messages, oldest first.
 * @param after id of a message of this thread, after which the page starts; null for the first page.
 * @throws {AppError} invalid_request when `after` is not such an id; thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function listMessages(
  services: RunServices & MessageServices,
  thread: Thread,
  { after, limit }: { after: string | null; limit: number },
): Promise<MessagePage> {
  const { engine, deadline } = services;
  const { conversationId } = thread;
  const itemId = after === null ? undefined : openMessageId(conversationId, after);
  if (after !== null && itemId === undefined) {
    throw fieldError('After', 'The field After must be the messageId of a message of this thread.');
  }
  const page = await engine.listMessages(
    conversationId,
    { limit, ...(itemId !== undefined && { after: itemId }) },
    deadline.remaining(listMs),
  );
  return {
    messages: await toMessages(services, thread, page.messages, page.next),
    hasMore: page.hasMore,
    lastId: page.lastId && sealMessageId(conversationId, page.lastId),
  };
}
