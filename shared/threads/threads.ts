import type { MessagePage } from '../assistants/engine.ts';
import { AppError, fieldError } from '../http/errors.ts';
import { newId } from '../ids.ts';
import { type RunServices, settle } from '../runs/settle.ts';
import { isFinished } from '../runs/state.ts';
import { openMessageId, sealMessageId } from './messageId.ts';
import type { Thread } from './thread.ts';

/** Each for a call to the engine. */
const openMs = 20_000;
const listMs = 10_000;
const undoMs = 4_000;

/** @throws {AppError} rate_limited, unavailable or internal_error; nothing is left behind then, as far as we can. */
export async function createThread(services: RunServices, projectId: string): Promise<Thread> {
  const { engine, threads, deadline } = services;
  const createdAt = new Date();
  const threadId = newId('thread', createdAt);
  const conversationId = await engine.openConversation(
    { projectId, threadId },
    deadline.within(openMs, 2 * undoMs),
  );
  const thread = { threadId, projectId, createdAt, conversationId };
  try {
    await threads.add(thread);
  } catch (error) {
    await engine.removeConversation(conversationId, deadline.within(undoMs)).catch(() => undefined);
    throw error;
  }
  return thread;
}

/**
 * A thread as it stands now: its active run is brought up to date first, so that messages read after it
 * hold the answer of a run that is no longer active.
 * @throws {AppError} thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function findCurrentThread(
  services: RunServices,
  projectId: string,
  threadId: string,
): Promise<Thread> {
  const stored = await services.threads.find(projectId, threadId);
  if (!stored) throw new AppError('thread_not_found');
  const { activeRunId, ...idle } = stored.value;
  if (activeRunId === undefined) return idle;
  const active = await services.runs.find(projectId, threadId, activeRunId);
  const run = active && (await settle(services, active)).value;
  return run && !isFinished(run) ? stored.value : idle;
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
    deadline.within(listMs),
  );
  const seal = (id: string) => sealMessageId(conversationId, id);
  return {
    ...page,
    messages: page.messages.map((message) => ({ ...message, messageId: seal(message.messageId) })),
    lastId: page.lastId && seal(page.lastId),
  };
}
