import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseAfter, parseLimit, parseStatus } from '../shared/http/query.ts';
import { parseThreadId } from '../shared/http/requests.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { isRunId } from '../shared/ids.ts';
import { toRunBody } from '../shared/runs/run.ts';
import { findCurrentThread } from '../shared/threads/threads.ts';

/** Lists a thread's runs, newest first. */
export const listRuns = endpoint('An error occurred while listing the runs', async (request, context) => {
  const { projectId } = await openProject(request, context);
  const threadId = parseThreadId(request.params.threadId);
  const page = {
    limit: parseLimit(request),
    after: parseAfter(request, isRunId),
    status: parseStatus(request),
  };
  // At most one run is unfinished; with the thread it is brought up to date.
  await findCurrentThread(context, projectId, threadId);
  const { items, hasMore } = await context.runs.list(projectId, threadId, page);
  return jsonResponse(200, { runs: items.map(toRunBody), hasMore, lastId: items.at(-1)?.runId ?? null });
});

app.http('listRuns', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs',
  handler: listRuns,
});
