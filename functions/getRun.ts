import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeRun } from '../shared/http/params.ts';
import { parseWaitSeconds } from '../shared/http/query.ts';
import { runResponse } from '../shared/http/runResponse.ts';
import { findRun } from '../shared/runs/findRun.ts';
import { describeRun } from '../shared/runs/requiredAction.ts';
import { waitForChange } from '../shared/runs/waitForChange.ts';

/** Returns a run, immediately or when its status next changes. */
app.http('getRun', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}',
  handler: endpoint('An error occurred while checking the run status', async (request, context) => {
    const { runKey } = await authorizeRun(request, context);
    const wait = parseWaitSeconds(request);
    const stored = await findRun(context, runKey);
    context.deadline.extend(wait.seconds * 1000);
    const current = await waitForChange(context, stored, wait.seconds * 1000, context.signal);
    const run = await describeRun(context, current);
    return runResponse(request, run, wait.preferred ? { 'Preference-Applied': `wait=${wait.seconds}` } : {});
  }),
});
