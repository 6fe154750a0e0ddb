import { app } from '@azure/functions';
import { authorizeProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { eventStreamResponse } from '../shared/http/eventStream.ts';
import { parseLastEventId } from '../shared/http/query.ts';
import { parseRunId, parseThreadId } from '../shared/http/requests.ts';
import { lastEventId, runEvents } from '../shared/http/runEvents.ts';
import { findRun } from '../shared/runs/findRun.ts';

/** Streams a run's events until it ends, the token expires or time is up; the client reconnects and goes on. */
export const streamRunEvents = endpoint(
  'An error occurred while streaming the run',
  async (request, context) => {
    const { caller, project } = await authorizeProject(request, context);
    const { projectId } = project;
    const threadId = parseThreadId(request.params.threadId);
    const runId = parseRunId(request.params.runId);
    const after = parseLastEventId(request);
    const recorded = await findRun(context, projectId, threadId, runId);
    // 204 tells an EventSource not to come back.
    if (after === lastEventId) return { status: 204, headers: {} };

    const durationMs = Math.min(context.config.eventStreamSeconds * 1000, caller.expiresAt - Date.now());
    context.deadline.extend(durationMs);
    return eventStreamResponse(context, durationMs, (signal) => runEvents(context, recorded, after, signal));
  },
);

app.http('streamRunEvents', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}/events',
  handler: streamRunEvents,
});
