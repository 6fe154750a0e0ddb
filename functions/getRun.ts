import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { parseWaitSeconds } from '../shared/http/query.ts';
import { parseRunId, parseThreadId } from '../shared/http/requests.ts';
import { runResponse } from '../shared/http/runResponse.ts';
import { findRun } from '../shared/runs/findRun.ts';
import { settle } from '../shared/runs/refreshRun.ts';
import { waitForChange } from '../shared/runs/waitForChange.ts';

/** Tells how a run stands, at once or as soon as that changes. */
export const getRun = endpoint(
  'An error occurred while checking the run status',
  async (request, context) => {
    const { projectId } = await openProject(request, context);
    const threadId = parseThreadId(request.params.threadId);
    const runId = parseRunId(request.params.runId);
    const waitSeconds = parseWaitSeconds(request);
    const recorded = await findRun(context, projectId, threadId, runId);
    if (!waitSeconds) return runResponse(request, (await settle(context, recorded)).value);

    context.deadline.extend(waitSeconds * 1000);
    const { value: run } = await waitForChange(context, recorded, waitSeconds * 1000, context.signal);
    const preferred = !request.query.has('wait');
    return runResponse(request, run, preferred ? { 'Preference-Applied': `wait=${waitSeconds}` } : {});
  },
);

app.http('getRun', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}',
  handler: getRun,
});
