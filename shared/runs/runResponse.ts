import { createHash } from 'node:crypto';
import type { ApiRequest } from '../http/endpoint.ts';
import { jsonResponse } from '../http/responses.ts';
import { type Run, toRunBody } from './run.ts';
import { isFinished } from './state.ts';

/** Seconds between two looks of a polling client, as the contract recommends. */
const pollSeconds = 2;

/** A recorded end is final; the limit is for a run whose thread is deleted. */
const finishedMaxAgeSeconds = 300;

/** The answer of a get, or 304 when the client has it already (RFC 9110, section 13.1.2). */
export function runResponse(request: ApiRequest, run: Run, headers: Record<string, string> = {}) {
  const body = toRunBody(run);
  const etag = `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 22)}"`;
  const all = {
    ...headers,
    ETag: etag,
    Vary: 'Authorization',
    ...(isFinished(run)
      ? { 'Cache-Control': `private, max-age=${finishedMaxAgeSeconds}` }
      : { 'Cache-Control': 'no-store', 'Retry-After': String(pollSeconds) }),
  };
  return matches(request.headers.get('If-None-Match'), etag)
    ? { status: 304, headers: all }
    : jsonResponse(200, body, all);
}

/** Weak comparison, as for every If-None-Match. */
const matches = (condition: string | null, etag: string): boolean =>
  condition
    ?.split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === '*' || tag === etag) ?? false;
