import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { toMessageBody } from '../shared/http/messageBody.ts';
import { authorizeThread } from '../shared/http/params.ts';
import { parseLimit, parseOrder } from '../shared/http/query.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toThreadBody } from '../shared/http/threadBody.ts';
import { describeMessages } from '../shared/threads/threadMessages.ts';
import { findCurrentThread, listMessages } from '../shared/threads/threads.ts';

/** Returns a thread with a page of its messages. */
app.http('getThread', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}',
  handler: endpoint('An error occurred while reading the thread', async (request, context) => {
    const { threadKey } = await authorizeThread(request, context);
    const page = {
      after: request.query.get('after'),
      limit: parseLimit(request),
      order: parseOrder(request),
    };
    const { thread } = await findCurrentThread(context, threadKey);
    const { messages, hasMore, lastId = null } = await listMessages(context, thread, page);
    // Of other threads, the runs tell the times of most messages, without a read for each.
    const shown = thread.imported ? await describeMessages(context, thread, messages) : messages;
    const activeRunId = thread.activeRunId ?? null;
    return jsonResponse(200, {
      ...toThreadBody(thread),
      activeRunId,
      messages: shown.map(toMessageBody),
      hasMore,
      lastId,
    });
  }),
});
