import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { eventStreamResponse } from '../shared/http/eventStream.ts';
import { parseLastEventId } from '../shared/http/headers.ts';
import { authorizeRun } from '../shared/http/params.ts';
import { lastEventId, runEvents } from '../shared/http/runEvents.ts';
import { findRun } from '../shared/runs/findRun.ts';

/** Streams the events of a run until it ends, the token expires or the time limit is reached. Clients can resume. */
app.http('streamRunEvents', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/runs/{runId}/events',
  handler: endpoint('An error occurred while streaming the run', async (request, context) => {
    const { caller, runKey } = await authorizeRun(request, context);
    const after = parseLastEventId(request);
    const stored = await findRun(context, runKey);
    // 204 stops an EventSource from reconnecting.
    if (after === lastEventId) return { status: 204, headers: {} };

    const durationMs = Math.min(context.config.eventStreamSeconds * 1000, caller.expiresAt - Date.now());
    context.deadline.extend(durationMs);
    return eventStreamResponse(context, durationMs, (signal) => runEvents(context, stored, after, signal));
  }),
});
