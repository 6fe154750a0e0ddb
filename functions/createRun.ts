import { app } from '@azure/functions';
import { parseRunInput } from '../shared/http/body.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseIdempotencyKey } from '../shared/http/headers.ts';
import { authorizeThread } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { runLocation, toCreatedBody } from '../shared/http/runBody.ts';
import { startRun, toRunFacts } from '../shared/runs/startRun.ts';

/** Posts a message to a thread and starts the run that replies to it. */
app.http('createRun', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs',
  handler: endpoint('An error occurred while creating the thread run', async (request, context) => {
    const { project, threadKey } = await authorizeThread(request, context);
    const idempotencyKey = parseIdempotencyKey(request);
    const input = await parseRunInput(request, context.note);
    const { run, replayed } = await startRun(context, { project, threadKey, input, idempotencyKey });
    context.note(toRunFacts(context, project, run));
    return jsonResponse(201, toCreatedBody(run, input), {
      Location: runLocation(run),
      ...(replayed && { 'Idempotency-Replayed': 'true' }),
    });
  }),
});
