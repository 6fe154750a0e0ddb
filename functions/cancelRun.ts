import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeRun } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toRunBody } from '../shared/http/runBody.ts';
import { cancel } from '../shared/runs/cancelRun.ts';
import { findRun } from '../shared/runs/findRun.ts';

/** Cancels an unfinished run and frees its thread. */
app.http('cancelRun', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}/cancel',
  handler: endpoint('An error occurred while cancelling the run', async (request, context) => {
    const { runKey } = await authorizeRun(request, context);
    const stored = await findRun(context, runKey);
    const run = await cancel(context, stored);
    return jsonResponse(200, toRunBody(run));
  }),
});
