import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { describeFailure } from '../failures.ts';
import { openContext, type ServiceContext } from '../invocation.ts';
import { findProxied } from './proxied.ts';
import { errorResponse } from './responses.ts';

/** What a handler is given besides the request. */
export interface RequestContext extends ServiceContext {
  /** Aborts when the client goes away; only HTTP streaming lets the worker know. */
  readonly signal: AbortSignal;
}

/** What a handler may use of a request; its headers are those that the client sent. */
export type ApiRequest = Pick<HttpRequest, 'headers' | 'params' | 'query' | 'text'>;

type Respond = (request: ApiRequest, context: RequestContext) => Promise<HttpResponseInit>;

/**
 * Wraps a handler with what every request needs: the services, an answer for whatever it throws, an `X-Request-Id`
 * (the invocation's id) and one line in the log. The runtime itself answers a thrown error with an empty 500.
 * @param failure the route's sentence for answers 500 and 503.
 */
export function endpoint(failure: string, respond: Respond): HttpHandler {
  return async (request, invocation) => {
    const startedAt = performance.now();
    let response: HttpResponseInit;
    let fault: unknown;
    try {
      const context = openContext(invocation);
      const proxied = findProxied(invocation.invocationId);
      response = await respond(
        {
          headers: proxied?.headers ?? request.headers,
          params: request.params,
          query: request.query,
          text: () => request.text(),
        },
        { ...context, signal: proxied?.signal ?? new AbortController().signal },
      );
    } catch (error) {
      fault = error;
      response = errorResponse(error, failure, invocation.invocationId);
    }
    logRequest(invocation, response.status ?? 200, performance.now() - startedAt, fault);
    return { ...response, headers: { ...response.headers, 'X-Request-Id': invocation.invocationId } };
  };
}

/** Facts only: no header, body, query or message of an error goes into the log, any of them may hold what people wrote. */
function logRequest(invocation: InvocationContext, status: number, durationMs: number, fault: unknown): void {
  const line = JSON.stringify({
    function: invocation.functionName,
    requestId: invocation.invocationId,
    status,
    durationMs: Math.round(durationMs),
    ...(fault !== undefined && describeFailure(fault)),
  });
  if (status >= 500) invocation.error(line);
  else invocation.log(line);
}
