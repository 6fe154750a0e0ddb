import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeThread } from '../shared/http/params.ts';
import { parseAfter, parseLimit, parseMetadataPair, parseStatus } from '../shared/http/query.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toRunBody } from '../shared/http/runBody.ts';
import { isRunId } from '../shared/model/ids.ts';
import { listRuns } from '../shared/threads/listRuns.ts';

/** Lists a thread's runs, newest first. */
app.http('listRuns', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs',
  handler: endpoint('An error occurred while listing the runs', async (request, context) => {
    const { threadKey } = await authorizeThread(request, context);
    const page = {
      limit: parseLimit(request),
      after: parseAfter(request, isRunId),
      status: parseStatus(request),
      metadata: parseMetadataPair(request),
    };
    const { items, hasMore, lastId = null } = await listRuns(context, threadKey, page);
    return jsonResponse(200, { runs: items.map((run) => toRunBody(run)), hasMore, lastId });
  }),
});
