import { app } from '@azure/functions';
import { AppError } from '../shared/errors.ts';
import { parseMetadata } from '../shared/http/body.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeThread } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { toThreadBody } from '../shared/http/threadBody.ts';

/** Replaces a thread's metadata. */
app.http('updateThread', {
  methods: ['PATCH'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}',
  handler: endpoint('An error occurred while updating the thread', async (request, context) => {
    const { threadKey } = await authorizeThread(request, context);
    const metadata = await parseMetadata(request, context.note);
    const thread = await context.threads.setMetadata(threadKey, metadata);
    if (!thread) throw new AppError('thread_not_found');
    return jsonResponse(200, toThreadBody(thread));
  }),
});
