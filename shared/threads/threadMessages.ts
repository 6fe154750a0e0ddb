import { isDeepStrictEqual } from 'node:util';
import { type EngineMessage, isSameMessage } from '../engine/messages.ts';
import { AppError, hasCode } from '../errors.ts';
import { repetitionMs } from '../model/idempotencyKey.ts';
import type { Message } from '../model/message.ts';
import { openMessageId, sealMessageId } from '../model/messageId.ts';
import type { MessageRecord } from '../model/messageRecord.ts';
import type { Metadata } from '../model/metadata.ts';
import type { InputMessage, NewAttachment } from '../model/newMessage.ts';
import type { Run } from '../model/run.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { codeFilesOf, findMessageFiles } from '../runs/attachments.ts';
import { listSteps } from '../runs/listSteps.ts';
import type { RunServices } from '../runs/runServices.ts';
import { type LabelledMessage, putRecords } from './messageRecords.ts';
import { type MessageServices, toMessages } from './messages.ts';
import { addFilesOfThread, type SearchServices, undoIfRefused } from './searchedFiles.ts';
import { findCurrentThread } from './threads.ts';
import { addCodeFiles } from './toolResources.ts';

/** Timeout of a call that changes or reads single messages, in milliseconds. */
const callMs = 10_000;

type Services = RunServices & MessageServices;

/** A message with its metadata, and what its client attached. */
export interface ThreadMessage extends Message {
  readonly metadata?: Metadata;
  /** Undefined when no record tells. */
  readonly attached?: readonly NewAttachment[];
}

/**
 * Adds a message to a thread without starting a run.
 * @param isRepetition whether the client repeats a request without knowing its outcome. If the thread's last message is
 * the same and recent, it is taken for the first attempt's.
 * @throws {AppError} thread_not_found, file_not_found, thread_busy, invalid_request, rate_limited, unavailable, internal_error.
 */
export async function addMessage(
  services: Services & SearchServices,
  threadKey: ThreadKey,
  message: LabelledMessage,
  isRepetition: boolean,
): Promise<ThreadMessage> {
  const { thread, activeRun } = await findCurrentThread(services, threadKey);
  if (activeRun) throw new AppError('thread_busy', { activeRun });
  const searched = await addFilesOfThread(services, thread, [message]);
  const [added = message] = searched.messages;
  return append(services, thread, added, isRepetition).catch(undoIfRefused(searched));
}

async function append(
  services: Services,
  thread: Thread,
  { metadata, ...message }: LabelledMessage,
  isRepetition: boolean,
): Promise<ThreadMessage> {
  const { engine, deadline } = services;
  const { attachments } = message;
  const createdAt = new Date();
  const files = await findMessageFiles(services, thread.projectId, [message]);
  const [input] = files;
  await addCodeFiles(services, thread, codeFilesOf([message]));
  const earlier = isRepetition && input ? await findLast(services, thread, input, attachments) : undefined;
  const timeoutMs = deadline.remaining(callMs);
  const [added] = earlier ? [earlier] : await engine.appendMessages(thread.conversationId, files, timeoutMs);
  if (!added) throw new AppError('unavailable', { cause: new Error('the engine returned no message') });
  const record = {
    ...{ itemId: added.messageId, createdAt },
    ...(metadata && { metadata }),
    ...(attachments && { attachments }),
  };
  await putRecords(services, thread, [record]);
  return { ...(await complete(services, thread, added)), ...toProperties(record) };
}

/** Returns the last message of a thread if it may be a new one that was just added. */
async function findLast(
  { engine, messages, deadline }: RunServices,
  thread: Thread,
  added: InputMessage,
  attachments: readonly NewAttachment[] = [],
): Promise<EngineMessage | undefined> {
  const page = { limit: 1, order: 'desc', imageUrls: true } as const;
  const found = await engine.listMessages(thread.conversationId, page, deadline.remaining(callMs));
  const [last] = found.messages;
  if (!last || !isSameMessage(last, added)) return undefined;
  const record = (await messages.find(thread, [last.messageId])).get(last.messageId);
  if (!record) return last;
  const { createdAt, attachments: attached = [] } = record;
  // People do say the same thing twice.
  const isOld = createdAt !== undefined && Date.now() - createdAt.getTime() > repetitionMs;
  // What is searched is not in the engine's message.
  const isSame = isDeepStrictEqual(attached.map(fileIdOf), attachments.map(fileIdOf));
  return isOld || !isSame ? undefined : last;
}

const fileIdOf = ({ fileId }: NewAttachment): string => fileId;

/**
 * Returns a message of a thread.
 * @throws {AppError} thread_not_found, message_not_found, rate_limited, unavailable, internal_error.
 */
export const findMessage = async (
  services: Services,
  threadKey: ThreadKey,
  messageId: string,
): Promise<ThreadMessage> => (await readMessage(services, threadKey, messageId)).message;

async function readMessage(
  services: Services,
  threadKey: ThreadKey,
  messageId: string,
): Promise<{ readonly itemId: string; readonly message: ThreadMessage }> {
  const { engine, threads, messages, deadline } = services;
  const thread = (await threads.find(threadKey))?.value;
  if (!thread) throw new AppError('thread_not_found');
  const itemId = openItemId(thread, messageId);
  const [message, records] = await Promise.all([
    engine.findMessage(thread.conversationId, itemId, deadline.remaining(callMs)),
    messages.find(threadKey, [itemId]),
  ]);
  const record = records.get(itemId);
  const after = { after: itemId, limit: 1, order: 'asc' } as const;
  // A message that came with a run is known by the reply that follows.
  const following =
    message.role === 'user' && !record?.createdAt
      ? await engine.listMessages(thread.conversationId, after, deadline.remaining(callMs))
      : undefined;
  const completed = await complete(services, thread, message, following?.messages);
  return { itemId, message: { ...completed, ...toProperties(record) } };
}

/**
 * Replaces the metadata of a message.
 * @throws {AppError} as {@link findMessage}.
 */
export async function setMessageMetadata(
  services: Services,
  threadKey: ThreadKey,
  messageId: string,
  metadata: Metadata,
): Promise<ThreadMessage> {
  const { itemId, message } = await readMessage(services, threadKey, messageId);
  await putRecords(services, threadKey, [{ itemId, metadata }]);
  return { ...message, metadata };
}

/**
 * Removes a message from a thread.
 * @throws {AppError} as {@link findMessage}; thread_busy while a run is active.
 */
export async function deleteMessage(
  services: Services,
  threadKey: ThreadKey,
  messageId: string,
): Promise<void> {
  const { engine, messages, deadline } = services;
  const { thread, activeRun } = await findCurrentThread(services, threadKey);
  const itemId = openItemId(thread, messageId);
  if (activeRun) throw new AppError('thread_busy', { activeRun });
  await engine.removeMessage(thread.conversationId, itemId, deadline.remaining(callMs));
  await messages.remove(threadKey, itemId);
}

/**
 * Returns the ids of the messages that a run wrote, oldest first. Those of a completed run are recorded; for any other the
 * engine is asked what it did.
 * @throws {AppError} thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function listReplyIds(
  services: RunServices,
  { conversationId }: Thread,
  run: Run,
): Promise<string[]> {
  const recorded = (run.replyItemIds ?? []).map((itemId) => sealMessageId(conversationId, itemId));
  if (run.status === 'completed' && recorded.length > 0) return recorded;
  try {
    const steps = await listSteps(services, run);
    return steps.flatMap(({ step }) => (step.type === 'message' && step.messageId ? step.messageId : []));
  } catch (error) {
    if (hasCode(error, 'steps_expired')) return recorded;
    throw error;
  }
}

/** Adds their metadata to messages, and the time of those that clients added. */
export async function describeMessages(
  { messages: store }: RunServices,
  thread: Thread,
  messages: readonly Message[],
): Promise<ThreadMessage[]> {
  const itemIds = messages.map(({ messageId }) => openMessageId(thread.conversationId, messageId) ?? '');
  const records = await store.find(thread, itemIds);
  return messages.map((message, index) => ({
    ...message,
    ...toProperties(records.get(itemIds[index] ?? '')),
  }));
}

function openItemId({ conversationId }: Thread, messageId: string): string {
  const itemId = openMessageId(conversationId, messageId);
  if (itemId === undefined) throw new AppError('message_not_found');
  return itemId;
}

async function complete(
  services: MessageServices,
  thread: Thread,
  message: EngineMessage,
  following: readonly EngineMessage[] = [],
): Promise<Message> {
  const [completed] = await toMessages(services, thread, [message], [message, ...following], true);
  if (!completed) throw new AppError('internal_error');
  return completed;
}

const toProperties = (record: MessageRecord | undefined) => ({
  ...(record?.createdAt && { createdAt: record.createdAt }),
  ...(record?.metadata && { metadata: record.metadata }),
  ...(record?.attachments && { attached: record.attachments }),
});
