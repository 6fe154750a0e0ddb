import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Answers preflight requests and opens responses to scripts of every origin, as Core Tools does with `"CORS": "*"`. In
 * the cloud the platform does that for the origins that are allowed.
 * @returns whether the request was a preflight, which no function sees.
 */
export function allowEveryOrigin({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
  if (headers.origin === undefined) return false;
  response.setHeader('Access-Control-Allow-Origin', '*');
  const requested = headers['access-control-request-method'];
  if (method !== 'OPTIONS' || requested === undefined) return false;
  const requestedHeaders = headers['access-control-request-headers'];
  response
    .writeHead(204, {
      'Access-Control-Allow-Methods': requested,
      ...(requestedHeaders !== undefined && { 'Access-Control-Allow-Headers': requestedHeaders }),
    })
    .end();
  return true;
}
