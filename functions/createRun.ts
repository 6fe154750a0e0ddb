import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseIdempotencyKey, parseRunInput, parseThreadId } from '../shared/http/requests.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { runLocation, toCreatedBody } from '../shared/http/runBody.ts';
import { startRun } from '../shared/runs/startRun.ts';

/** Posts a message to a thread and starts the run that answers it. */
export const createRun = endpoint(
  'An error occurred while creating the thread run',
  async (request, context) => {
    const project = await openProject(request, context);
    const threadId = parseThreadId(request.params.threadId);
    const idempotencyKey = parseIdempotencyKey(request);
    const input = await parseRunInput(request);
    const { run, replayed } = await startRun(context, { project, threadId, input, idempotencyKey });
    return jsonResponse(201, toCreatedBody(run, input), {
      Location: runLocation(run),
      ...(replayed && { 'Idempotency-Replayed': 'true' }),
    });
  },
);

app.http('createRun', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs',
  handler: createRun,
});
