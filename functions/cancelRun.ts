import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseRunId, parseThreadId } from '../shared/http/requests.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toRunBody } from '../shared/http/runBody.ts';
import { cancel } from '../shared/runs/cancelRun.ts';
import { findRun } from '../shared/runs/findRun.ts';

/** Cancels an unfinished run and frees its thread. */
export const cancelRun = endpoint('An error occurred while cancelling the run', async (request, context) => {
  const { projectId } = await openProject(request, context);
  const threadId = parseThreadId(request.params.threadId);
  const runId = parseRunId(request.params.runId);
  const recorded = await findRun(context, projectId, threadId, runId);
  const run = await cancel(context, recorded);
  return jsonResponse(200, toRunBody(run));
});

app.http('cancelRun', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}/cancel',
  handler: cancelRun,
});
