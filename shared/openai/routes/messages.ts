import { AppError, hasCode, ignore } from '../../errors.ts';
import { jsonResponse } from '../../http/responses.ts';
import { isRunId } from '../../model/ids.ts';
import type { RunKey } from '../../model/run.ts';
import type { Thread } from '../../model/thread.ts';
import { findRun } from '../../runs/findRun.ts';
import {
  addMessage,
  describeMessages,
  findMessage,
  listReplyIds,
  deleteMessage as removeMessage,
  setMessageMetadata,
  type ThreadMessage,
} from '../../threads/threadMessages.ts';
import { findCurrentThread, listMessages as readMessages } from '../../threads/threads.ts';
import { readBody } from '../body.ts';
import { type Call, type Handler, ignoreDeleted, isRepetition, threadKeyOf } from '../call.ts';
import { toWireMessage } from '../messageObject.ts';
import { readMessage } from '../messageParams.ts';
import { type ListRequest, pageOf, parseList, rejectUnknown, toList, unknownCursor } from '../query.ts';
import { metadata, object, optional } from '../readers.ts';
import type { WireMessageDeleted } from '../wire.ts';
import { badRequest, WireError } from '../wireError.ts';

/** Adds a message to a thread. */
export const createMessage: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, []);
  const message = await readBody(call.request, readMessage);
  const added = await addMessage(call.context, threadKey, message, isRepetition(call)).catch(failBusy);
  return jsonResponse(200, toWireMessage(await threadOf(call), added));
};

/** Lists the messages of a thread. */
export const listMessages: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  const page = parseList(call.request, ['run_id']);
  const runId = call.request.query.get('run_id');
  if (runId !== null) return listMessagesOf(call, { ...threadKey, runId }, page);
  const { thread } = await findCurrentThread(call.context, threadKey);
  const { messages, hasMore } = await readPage(call, thread, page);
  const described = await describeMessages(call.context, thread, messages);
  return jsonResponse(
    200,
    toList(
      described.map((message) => toWireMessage(thread, message)),
      hasMore,
    ),
  );
};

/** Lists the messages that a run created. */
async function listMessagesOf(call: Call, runKey: RunKey, page: ListRequest) {
  if (!isRunId(runKey.runId)) throw unknownRun(runKey.runId);
  const { value: run } = await findRun(call.context, runKey).catch((error) => {
    throw hasCode(error, 'run_not_found') ? unknownRun(runKey.runId) : error;
  });
  const thread = await threadOf(call);
  const ids = await listReplyIds(call.context, thread, run);
  const { items, hasMore } = pageOf(ids.toReversed(), page, (id) => id);
  const found = await Promise.all(
    items.map((id) => findMessage(call.context, runKey, id).catch(ignoreMissing)),
  );
  const messages = found.flatMap((message) => (message ? toWireMessage(thread, message, run) : []));
  return jsonResponse(200, toList(messages, hasMore));
}

const unknownRun = (runId: string) =>
  new WireError('run_not_found', {
    message: `No run found with id '${runId.slice(0, 64)}'.`,
    param: 'run_id',
  });

/** A message may have been deleted since. */
const ignoreMissing = ignore('message_not_found');

/** Maximum number of pages of the engine read for one page: those of long tool calls have no message. */
const maxReads = 5;

/** Reads a page of messages. A page before a message is read in the opposite order. */
async function readPage({ context }: Call, thread: Thread, { limit, order, after, before }: ListRequest) {
  const backwards = before !== undefined;
  const opposite = order === 'asc' ? 'desc' : 'asc';
  let cursor = after ?? before ?? null;
  for (let reads = 0; ; reads++) {
    const page = {
      ...{ limit, after: cursor, isDetailed: true },
      order: backwards ? opposite : order,
    } as const;
    const { messages, hasMore, lastId } = await readMessages(context, thread, page).catch((error) => {
      const isCursor = hasCode(error, 'invalid_request');
      throw isCursor ? unknownCursor(backwards ? 'before' : 'after') : error;
    });
    // A client ends at an empty page, so there must be none while messages may follow.
    if (messages.length > 0 || !hasMore || reads === maxReads || lastId === undefined) {
      return { messages: backwards ? messages.toReversed() : messages, hasMore };
    }
    cursor = lastId;
  }
}

/** Returns a message. */
export const retrieveMessage: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, []);
  return respond(call, await findMessage(call.context, threadKey, call.params.messageId ?? ''));
};

const readUpdate = object({ metadata: optional(metadata) });

/** Replaces the metadata of a message, if given. */
export const updateMessage: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, []);
  const { metadata: labels } = await readBody(call.request, readUpdate);
  const { context, params } = call;
  const messageId = params.messageId ?? '';
  return respond(
    call,
    labels
      ? await setMessageMetadata(context, threadKey, messageId, labels)
      : await findMessage(context, threadKey, messageId),
  );
};

/** Removes a message from its thread. */
export const deleteMessage: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, []);
  const id = call.params.messageId ?? '';
  await removeMessage(call.context, threadKey, id).catch(failBusy).catch(ignoreDeleted(call));
  const body: WireMessageDeleted = { id, object: 'thread.message.deleted', deleted: true };
  return jsonResponse(200, body);
};

const respond = async (call: Call, message: ThreadMessage) =>
  jsonResponse(200, toWireMessage(await threadOf(call), message));

async function threadOf(call: Call): Promise<Thread> {
  const thread = await call.context.threads.find(threadKeyOf(call));
  if (!thread) throw new AppError('thread_not_found');
  return thread.value;
}

/** @throws {WireError} with the original's sentence for a thread whose messages cannot be changed now. */
function failBusy(error: unknown): never {
  const { activeRun } = hasCode(error, 'thread_busy') ? error.options : {};
  if (!activeRun) throw error;
  const { threadId, runId } = activeRun;
  throw badRequest(`Can't add messages to ${threadId} while a run ${runId} is active.`);
}
