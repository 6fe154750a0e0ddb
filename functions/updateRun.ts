import { app } from '@azure/functions';
import { parseMetadata } from '../shared/http/body.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeRun } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toRunBody } from '../shared/http/runBody.ts';
import { setRunMetadata } from '../shared/runs/setRunMetadata.ts';

/** Replaces a run's metadata. */
app.http('updateRun', {
  methods: ['PATCH'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}',
  handler: endpoint('An error occurred while updating the run', async (request, context) => {
    const { runKey } = await authorizeRun(request, context);
    const metadata = await parseMetadata(request, context.note);
    const run = await setRunMetadata(context, runKey, metadata);
    return jsonResponse(200, toRunBody(run));
  }),
});
