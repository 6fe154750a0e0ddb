import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { settleWithin } from '../shared/deadline.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseThreadId } from '../shared/http/requests.ts';
import { followUpWaitMs, scheduleFollowUp } from '../shared/runs/followUps.ts';
import { deleteThread as removeThread } from '../shared/threads/deleteThread.ts';

/** Deletes a thread with its runs and messages; answers the same when it is gone already. */
export const deleteThread = endpoint(
  'An error occurred while deleting the thread',
  async (request, context) => {
    const { projectId } = await openProject(request, context);
    const threadId = parseThreadId(request.params.threadId);
    const followUp = scheduleFollowUp(context, { kind: 'deletion', projectId, threadId, attempt: 0 });
    await removeThread(context, projectId, threadId).finally(() => settleWithin(followUpWaitMs, followUp));
    return { status: 204, headers: {} };
  },
);

app.http('deleteThread', {
  methods: ['DELETE'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}',
  handler: deleteThread,
});
