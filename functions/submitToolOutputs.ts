import { app } from '@azure/functions';
import { parseToolOutputs } from '../shared/http/body.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeRun } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toRunBody } from '../shared/http/runBody.ts';
import { describeRun } from '../shared/runs/requiredAction.ts';
import { submitOutputs } from '../shared/runs/submitOutputs.ts';

/** Submits the outputs and approvals that a run waits for; the run goes on. */
app.http('submitToolOutputs', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}/tool-outputs',
  handler: endpoint('An error occurred while submitting the tool outputs', async (request, context) => {
    const { project, runKey } = await authorizeRun(request, context);
    const outputs = await parseToolOutputs(request);
    const submitted = await submitOutputs(context, { project, runKey, outputs });
    const { stored, requiredAction } = await describeRun(context, submitted.stored);
    return jsonResponse(
      200,
      toRunBody(stored.value, requiredAction),
      submitted.replayed ? { 'Idempotency-Replayed': 'true' } : {},
    );
  }),
});
