import { createHash } from 'node:crypto';
import type { ApiRequest } from './endpoint.ts';
import { jsonResponse } from './responses.ts';

/** Returns a JSON response with an `ETag`, or 304 when `If-None-Match` matches it (RFC 9110, section 13.1.2). */
export function conditionalResponse(request: ApiRequest, body: unknown, headers: Record<string, string>) {
  const response = jsonResponse(200, body, headers);
  const etag = `"${createHash('sha256').update(String(response.body)).digest('base64url').slice(0, 22)}"`;
  return matches(request.headers.get('If-None-Match'), etag)
    ? { status: 304, headers: { ...headers, ETag: etag } }
    : { ...response, headers: { ...response.headers, ETag: etag } };
}

/** Compares weakly, as required for If-None-Match. */
const matches = (condition: string | null, etag: string): boolean =>
  condition
    ?.split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
    .some((tag) => tag === '*' || tag === etag) ?? false;
