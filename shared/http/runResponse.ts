import type { Run } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import { conditionalResponse } from './conditional.ts';
import type { ApiRequest } from './endpoint.ts';
import { toRunBody } from './runBody.ts';

/** Seconds between two looks of a polling client, as the contract recommends. */
const pollSeconds = 2;

/** A recorded end is final; the limit is for a run whose thread is deleted. */
const finishedMaxAgeSeconds = 300;

/** The answer of a get, which a client may keep once the run has finished. */
export function runResponse(request: ApiRequest, run: Run, headers: Record<string, string> = {}) {
  return conditionalResponse(request, toRunBody(run), {
    ...headers,
    Vary: 'Authorization',
    ...(isTerminal(run)
      ? { 'Cache-Control': `private, max-age=${finishedMaxAgeSeconds}` }
      : { 'Cache-Control': 'no-store', 'Retry-After': String(pollSeconds) }),
  });
}
