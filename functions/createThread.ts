import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorize } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { threadLocation, toThreadBody } from '../shared/http/threadBody.ts';
import { createThread } from '../shared/threads/threads.ts';

/** Creates an empty thread in a project. Ignores the request body. */
app.http('createThread', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads',
  handler: endpoint('An error occurred while creating the thread', async (request, context) => {
    const { project } = await authorize(request, context);
    const thread = await createThread(context, project.projectId);
    context.note({ threadId: thread.threadId });
    return jsonResponse(201, toThreadBody(thread), { Location: threadLocation(thread) });
  }),
});
