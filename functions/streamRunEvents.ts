import { app } from '@azure/functions';
import { openProject } from '../shared/auth/access.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { eventStreamResponse } from '../shared/http/eventStream.ts';
import { parseLastEventId } from '../shared/http/query.ts';
import { parseRunId, parseThreadId } from '../shared/http/requests.ts';
import { lastEventId, runEvents } from '../shared/http/runEvents.ts';
import { findRun } from '../shared/runs/findRun.ts';

/** Below the 230 seconds after which Azure's load balancer ends a request; the client reconnects and goes on. */
const longestMs = 220_000;

/** Tells a run as it happens. */
export const streamRunEvents = endpoint(
  'An error occurred while streaming the run',
  async (request, context) => {
    const { projectId } = await openProject(request, context);
    const threadId = parseThreadId(request.params.threadId);
    const runId = parseRunId(request.params.runId);
    const after = parseLastEventId(request);
    const recorded = await findRun(context, projectId, threadId, runId);
    // 204 tells an EventSource not to come back.
    if (after === lastEventId) return { status: 204, headers: {} };

    context.deadline.extend(longestMs);
    const stop = new AbortController();
    const end = () => stop.abort();
    const timer = setTimeout(end, longestMs);
    stop.signal.addEventListener('abort', () => clearTimeout(timer));
    context.signal.addEventListener('abort', end);
    return eventStreamResponse(runEvents(context, recorded, after, stop.signal), stop);
  },
);

app.http('streamRunEvents', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}/events',
  handler: streamRunEvents,
});
