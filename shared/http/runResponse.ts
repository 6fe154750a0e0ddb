import type { Run } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import { conditionalResponse } from './conditional.ts';
import type { ApiRequest } from './endpoint.ts';
import { toRunBody } from './runBody.ts';

/** Recommended polling interval of clients, in seconds. */
const pollSeconds = 2;

/** How long a client may cache a terminal run, in seconds. Limited because its thread may be deleted. */
const finishedMaxAgeSeconds = 300;

/** Returns the response to a read of a run, cacheable once the run is terminal. */
export function runResponse(request: ApiRequest, run: Run, headers: Record<string, string> = {}) {
  return conditionalResponse(request, toRunBody(run), {
    ...headers,
    Vary: 'Authorization',
    ...(isTerminal(run)
      ? { 'Cache-Control': `private, max-age=${finishedMaxAgeSeconds}` }
      : { 'Cache-Control': 'no-store', 'Retry-After': String(pollSeconds) }),
  });
}
