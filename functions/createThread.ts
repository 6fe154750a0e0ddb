import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { threadLocation, toThreadBody } from '../shared/http/threadBody.ts';
import { createThread as openThread } from '../shared/threads/threads.ts';

/** Opens an empty thread in a project; a body is not read. */
export const createThread = endpoint(
  'An error occurred while creating the thread',
  async (request, context) => {
    const { projectId } = await openProject(request, context);
    const thread = await openThread(context, projectId);
    return jsonResponse(201, toThreadBody(thread), { Location: threadLocation(thread) });
  },
);

app.http('createThread', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads',
  handler: createThread,
});
