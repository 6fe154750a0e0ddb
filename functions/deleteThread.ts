import { app } from '@azure/functions';
import { waitAtMost } from '../shared/deadline.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeThread } from '../shared/http/params.ts';
import { followUpWaitMs, scheduleFollowUp } from '../shared/runs/followUps.ts';
import { deleteThread } from '../shared/threads/deleteThread.ts';

/** Deletes a thread with its runs and messages. Idempotent. */
app.http('deleteThread', {
  methods: ['DELETE'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}',
  handler: endpoint('An error occurred while deleting the thread', async (request, context) => {
    const { threadKey } = await authorizeThread(request, context);
    const followUp = scheduleFollowUp(context, { kind: 'deletion', ...threadKey, attempt: 0 });
    await deleteThread(context, threadKey).finally(() => waitAtMost(followUpWaitMs, followUp));
    return { status: 204, headers: {} };
  }),
});
