import { isTerminal } from '../model/runState.ts';
import type { DescribedRun } from '../runs/requiredAction.ts';
import { conditionalResponse } from './conditional.ts';
import type { ApiRequest } from './endpoint.ts';
import { toRunBody } from './runBody.ts';

/** Recommended polling interval of clients, in seconds. */
const pollSeconds = 2;

/** How long a client may cache a terminal run, in seconds. Limited because its thread may be deleted. */
const finishedMaxAgeSeconds = 300;

/** Returns the response to a read of a run, cacheable once the run is terminal. */
export function runResponse(
  request: ApiRequest,
  { stored, requiredAction }: DescribedRun,
  headers: Record<string, string> = {},
) {
  const { value: run } = stored;
  return conditionalResponse(request, toRunBody(run, requiredAction), {
    ...headers,
    Vary: 'Authorization',
    ...(isTerminal(run)
      ? { 'Cache-Control': `private, max-age=${finishedMaxAgeSeconds}` }
      : { 'Cache-Control': 'no-store', 'Retry-After': String(pollSeconds) }),
  });
}
