import { app } from '@azure/functions';
import { parseThreadInput } from '../shared/http/body.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseIdempotencyKey } from '../shared/http/headers.ts';
import { authorize } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toCreatedBody } from '../shared/http/runBody.ts';
import { threadLocation, toThreadBody } from '../shared/http/threadBody.ts';
import { toRunFacts } from '../shared/runs/startRun.ts';
import { createThread } from '../shared/threads/createThread.ts';

/** Creates a thread in a project and, if the request has a first message, starts the run that replies to it. */
app.http('createThread', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads',
  handler: endpoint('An error occurred while creating the thread', async (request, context) => {
    const { project } = await authorize(request, context);
    const idempotencyKey = parseIdempotencyKey(request);
    const { metadata, input } = await parseThreadInput(request, context.note);
    const created = await createThread(context, { project, metadata, input, idempotencyKey });
    const { thread, run, replayed } = created;
    context.note(run ? toRunFacts(context, project, run) : { threadId: thread.threadId });
    const body = { ...toThreadBody(thread), ...(run && input && { run: toCreatedBody(run, input) }) };
    return jsonResponse(201, body, {
      Location: threadLocation(thread),
      ...(replayed && { 'Idempotency-Replayed': 'true' }),
    });
  }),
});
