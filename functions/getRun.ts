import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseRunId, parseThreadId } from '../shared/http/requests.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { findRun } from '../shared/runs/findRun.ts';
import { toRunBody } from '../shared/runs/run.ts';

/** Tells how a run stands. */
export const getRun = endpoint(
  'An error occurred while checking the run status',
  async (request, context) => {
    const { projectId } = await openProject(request, context);
    const threadId = parseThreadId(request.params.threadId);
    const runId = parseRunId(request.params.runId);
    const run = await findRun(context, projectId, threadId, runId);
    return jsonResponse(200, toRunBody(run));
  },
);

app.http('getRun', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}',
  handler: getRun,
});
