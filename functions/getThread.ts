import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseLimit } from '../shared/http/query.ts';
import { parseThreadId } from '../shared/http/requests.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toThreadBody } from '../shared/http/threadBody.ts';
import { findCurrentThread, listMessages } from '../shared/threads/threads.ts';

/** Shows a thread with a page of its messages. */
export const getThread = endpoint('An error occurred while reading the thread', async (request, context) => {
  const { projectId } = await openProject(request, context);
  const threadId = parseThreadId(request.params.threadId);
  const page = { after: request.query.get('after'), limit: parseLimit(request) };
  const { thread } = await findCurrentThread(context, projectId, threadId);
  const { messages, hasMore, lastId = null } = await listMessages(context, thread, page);
  return jsonResponse(200, {
    ...toThreadBody(thread),
    activeRunId: thread.activeRunId ?? null,
    messages,
    hasMore,
    lastId,
  });
});

app.http('getThread', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}',
  handler: getThread,
});
