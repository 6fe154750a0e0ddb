import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseAfter, parseLimit, parseStatus } from '../shared/http/query.ts';
import { parseThreadId } from '../shared/http/requests.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toRunBody } from '../shared/http/runBody.ts';
import { isRunId } from '../shared/model/ids.ts';
import { listRuns as findRuns } from '../shared/runs/listRuns.ts';

/** Lists a thread's runs, newest first. */
export const listRuns = endpoint('An error occurred while listing the runs', async (request, context) => {
  const { projectId } = await openProject(request, context);
  const threadId = parseThreadId(request.params.threadId);
  const page = {
    limit: parseLimit(request),
    after: parseAfter(request, isRunId),
    status: parseStatus(request),
  };
  const { items, hasMore, lastId = null } = await findRuns(context, projectId, threadId, page);
  return jsonResponse(200, { runs: items.map(toRunBody), hasMore, lastId });
});

app.http('listRuns', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs',
  handler: listRuns,
});
