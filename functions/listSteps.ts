import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeRun } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toStepBody } from '../shared/http/stepBody.ts';
import { listSteps } from '../shared/runs/listSteps.ts';

/** Returns what a run did, in order. */
app.http('listSteps', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}/steps',
  handler: endpoint('An error occurred while reading the steps of the run', async (request, context) => {
    const { runKey } = await authorizeRun(request, context);
    const steps = await listSteps(context, runKey);
    return jsonResponse(200, { steps: steps.map(toStepBody) });
  }),
});
