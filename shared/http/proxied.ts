import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';

/*
 * With HTTP streaming on, the host sends each request to a small server inside the worker, and `@azure/functions` joins
 * it with its invocation. On the way it loses what a handler needs to know: that the client has gone
 * (azure-functions-nodejs-library#294), and the request's own headers where a JSON body has a property `Headers`.
 * Node's diagnostics channel shows the request itself. Without streaming there is no such server, and nothing is found.
 */

/** A request as the worker's server received it. */
export interface Proxied {
  readonly headers: Headers;
  /** Aborts when the client goes away before it has the whole answer. */
  readonly signal: AbortSignal;
}

const requests = new Map<string, Proxied>();

subscribe('http.server.request.start', (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  const invocationId = request.headers['x-ms-invocation-id'];
  if (typeof invocationId !== 'string') return;
  const gone = new AbortController();
  const headers = new Headers();
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  requests.set(invocationId, { headers, signal: gone.signal });
  response.once('close', () => {
    requests.delete(invocationId);
    if (!response.writableFinished) gone.abort();
  });
});

/** The request behind an invocation; undefined without streaming. */
export const findProxied = (invocationId: string): Proxied | undefined => requests.get(invocationId);
