import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorize } from '../shared/http/params.ts';
import { parseAfter, parseLimit, parseMetadataPair } from '../shared/http/query.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toThreadBody } from '../shared/http/threadBody.ts';
import { isThreadId } from '../shared/model/ids.ts';

/** Lists a project's threads, newest first. */
app.http('listThreads', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads',
  handler: endpoint('An error occurred while listing the threads', async (request, context) => {
    const { project } = await authorize(request, context);
    const page = {
      limit: parseLimit(request),
      after: parseAfter(request, isThreadId),
      metadata: parseMetadataPair(request),
    };
    const { items, hasMore, lastId = null } = await context.threads.list(project.projectId, page);
    return jsonResponse(200, { threads: items.map(toThreadBody), hasMore, lastId });
  }),
});
