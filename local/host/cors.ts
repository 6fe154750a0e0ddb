import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Handles preflight requests and allows every origin to read responses, as Core Tools does with `"CORS": "*"`. In
 * Azure, the platform does this for the allowed origins.
 * @returns whether the request was a preflight and has been responded to.
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
