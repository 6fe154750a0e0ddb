import { waitAtMost } from '../../deadline.ts';
import { AppError } from '../../errors.ts';
import { jsonResponse } from '../../http/responses.ts';
import { threadStoreExpiryDays } from '../../model/toolResources.ts';
import { followUpWaitMs, scheduleFollowUp } from '../../runs/followUps.ts';
import { deleteThread as removeThread } from '../../threads/deleteThread.ts';
import { createSearchableThread } from '../../threads/searchedFiles.ts';
import { setToolResources } from '../../threads/toolResources.ts';
import { readBody } from '../body.ts';
import { type Handler, isRepetition, threadKeyOf } from '../call.ts';
import { rejectUnknown } from '../query.ts';
import { metadata, object, optional } from '../readers.ts';
import { toWireThread } from '../threadObject.ts';
import { readThreadBody, toThreadInput } from '../threadParams.ts';
import { createWithResources, openResources, toolResources } from '../toolResources.ts';
import type { WireThreadDeleted } from '../wire.ts';

/** Creates a thread with its first messages. */
export const createThread: Handler = async (call) => {
  const { request, context, project } = call;
  rejectUnknown(request.query, []);
  const body = await readBody(request, readThreadBody);
  const { thread } = await createWithResources(
    call,
    body.tool_resources,
    (resources) =>
      createSearchableThread(context, {
        ...{ project, ...toThreadInput(body, resources) },
        ...{ input: undefined, idempotencyKey: undefined },
      }),
    { expiryDays: threadStoreExpiryDays },
  );
  return jsonResponse(200, toWireThread(thread));
};

/** Returns a thread. */
export const retrieveThread: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, []);
  const thread = await call.context.threads.find(threadKey);
  if (!thread) throw new AppError('thread_not_found');
  return jsonResponse(200, toWireThread(thread.value));
};

const readUpdate = object({ metadata: optional(metadata), tool_resources: toolResources });

/** Replaces the metadata of a thread and what its tools use, if given. */
export const updateThread: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, []);
  const { metadata: labels, tool_resources } = await readBody(call.request, readUpdate);
  const { threads } = call.context;
  const resources = await openResources(call, tool_resources);
  const isNamed = Object.keys(resources).length > 0;
  const changed = isNamed ? await setToolResources(call.context, threadKey, resources) : undefined;
  const thread = labels
    ? await threads.setMetadata(threadKey, labels)
    : (changed ?? (await threads.find(threadKey))?.value);
  if (!thread) throw new AppError('thread_not_found');
  return jsonResponse(200, toWireThread(thread));
};

/** Deletes a thread with its runs and messages. */
export const deleteThread: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, []);
  const { context } = call;
  // Unlike the project API, the original answers 404 for a thread that is not there. A repetition completes the deletion.
  if (!isRepetition(call) && !(await context.threads.find(threadKey))) throw new AppError('thread_not_found');
  const followUp = scheduleFollowUp(context, { kind: 'deletion', ...threadKey, attempt: 0 });
  await removeThread(context, threadKey).finally(() => waitAtMost(followUpWaitMs, followUp));
  const body: WireThreadDeleted = { id: threadKey.threadId, object: 'thread.deleted', deleted: true };
  return jsonResponse(200, body);
};
