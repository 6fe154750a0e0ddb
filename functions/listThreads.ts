import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseAfter, parseLimit } from '../shared/http/query.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toThreadBody } from '../shared/http/threadBody.ts';
import { isThreadId } from '../shared/model/ids.ts';

/** Lists a project's threads, newest first. */
export const listThreads = endpoint(
  'An error occurred while listing the threads',
  async (request, context) => {
    const { projectId } = await openProject(request, context);
    const page = { limit: parseLimit(request), after: parseAfter(request, isThreadId) };
    const { items, hasMore, lastId = null } = await context.threads.list(projectId, page);
    return jsonResponse(200, { threads: items.map(toThreadBody), hasMore, lastId });
  },
);

app.http('listThreads', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads',
  handler: listThreads,
});
