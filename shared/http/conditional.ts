import { createHash } from 'node:crypto';
import type { ApiRequest } from './endpoint.ts';
import { jsonResponse } from './responses.ts';

/** A body with its `ETag`, or 304 without it when the client has it already (RFC 9110, section 13.1.2). */
export function conditionalResponse(request: ApiRequest, body: unknown, headers: Record<string, string>) {
  const answer = jsonResponse(200, body, headers);
  const etag = `"${createHash('sha256').update(String(answer.body)).digest('base64url').slice(0, 22)}"`;
  return matches(request.headers.get('If-None-Match'), etag)
    ? { status: 304, headers: { ...headers, ETag: etag } }
    : { ...answer, headers: { ...answer.headers, ETag: etag } };
}

/** Weak comparison, as for every If-None-Match. */
const matches = (condition: string | null, etag: string): boolean =>
  condition
    ?.split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === '*' || tag === etag) ?? false;
