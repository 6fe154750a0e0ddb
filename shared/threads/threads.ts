import { AppError, fieldError, hasCode } from '../errors.ts';
import type { Message } from '../model/message.ts';
import { openMessageId, sealMessageId } from '../model/messageId.ts';
import type { Run } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { refreshRun } from '../runs/refreshRun.ts';
import type { RunServices } from '../runs/runServices.ts';
import { type KnownMessage, type MessageServices, toMessages } from './messages.ts';

/** Timeout of the engine's list, in milliseconds. */
const listMs = 10_000;

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
  throw hasCode(error, 'run_not_found') ? new AppError('thread_not_found') : error;
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
 * Returns a page of a thread's messages.
 * @param order `asc` for oldest first, `desc` for newest first.
 * @param isDetailed whether to read the URLs of images and the ids of cited documents too.
 * @param after id of a message of this thread, after which the page starts; null for the first page. If it has been deleted
 * since, its place is lost and the list begins again, so that a client can delete what it lists.
 * @throws {AppError} invalid_request when `after` is not such an id; thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function listMessages(
  services: RunServices & MessageServices,
  thread: Thread,
  {
    after,
    limit,
    order,
    isDetailed = false,
  }: { after: string | null; limit: number; order: 'asc' | 'desc'; isDetailed?: boolean },
): Promise<MessagePage> {
  const { engine, deadline } = services;
  const { conversationId } = thread;
  let itemId = after === null ? undefined : openMessageId(conversationId, after);
  if (after !== null && itemId === undefined) {
    throw fieldError('After', 'The field After must be the messageId of a message of this thread.');
  }
  const read = () =>
    engine.listMessages(
      conversationId,
      { limit, order, imageUrls: isDetailed, ...(itemId !== undefined && { after: itemId }) },
      deadline.remaining(listMs),
    );
  const page = await read().catch((error) => {
    if (!hasCode(error, 'message_not_found')) throw error;
    itemId = undefined;
    return read();
  });
  const known: KnownMessage[] = [...page.messages, ...(page.next ? [page.next] : [])];
  if (order === 'desc') {
    known.reverse();
    // The message before the page, in the order of the list, may be the reply to the first one of the page.
    if (itemId !== undefined) known.push({ messageId: itemId, role: 'assistant' });
  }
  return {
    messages: await toMessages(services, thread, page.messages, known, isDetailed),
    hasMore: page.hasMore,
    lastId: page.lastId && sealMessageId(conversationId, page.lastId),
  };
}
