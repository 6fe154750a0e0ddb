import type { ServerResponse } from 'node:http';
import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { describeFailure } from '../failures.ts';
import { openContext, type ServiceContext } from '../invocation.ts';
import { findRequest } from './proxyRequest.ts';
import { readBody } from './readBody.ts';
import { errorResponse, withCommonHeaders } from './responses.ts';

/** Context of a request. */
export interface RequestContext extends ServiceContext {
  /** Aborts when the client disconnects. Never aborts without HTTP streaming. */
  readonly signal: AbortSignal;
  /** The outgoing response, for back-pressure; undefined without HTTP streaming. */
  readonly outgoing: ServerResponse | undefined;
}

/** A request as seen by handlers, with the headers that the client sent. */
export interface ApiRequest extends Pick<HttpRequest, 'headers' | 'params' | 'query'> {
  /**
   * Reads the body. It is not read unless a handler calls this.
   * @param maxBytes of the body; 2 MiB by default.
   * @throws {AppError} as {@link readBody}.
   */
  text(maxBytes?: number): Promise<string>;
}

type Respond = (request: ApiRequest, context: RequestContext) => Promise<HttpResponseInit>;

/**
 * Wraps a handler with what every request needs: the services, error responses, an `X-Request-Id` (the invocation's id)
 * and a log line. Without it, the runtime would respond to a thrown error with an empty 500.
 * @param failure the route's message for 500 and 503 responses.
 */
export function endpoint(failure: string, respond: Respond): HttpHandler {
  return async (request, invocation) => {
    const startedAt = performance.now();
    let response: HttpResponseInit;
    let failureCause: unknown;
    try {
      const context = openContext(invocation);
      const proxyRequest = findRequest(invocation.invocationId);
      const headers = proxyRequest?.headers ?? request.headers;
      response = await respond(
        {
          headers,
          params: request.params,
          query: request.query,
          text: (maxBytes) =>
            readBody(proxyRequest?.incoming ?? request.body, headers.get('Content-Length'), maxBytes),
        },
        {
          ...context,
          signal: proxyRequest?.signal ?? new AbortController().signal,
          outgoing: proxyRequest?.outgoing,
        },
      );
    } catch (error) {
      failureCause = error;
      response = errorResponse(error, failure, invocation.invocationId);
    }
    logRequest(invocation, response.status ?? 200, performance.now() - startedAt, failureCause);
    return withCommonHeaders(response, invocation.invocationId);
  };
}

/** Logs a request. Omits headers, query, body and error messages, which may contain user content. */
function logRequest(invocation: InvocationContext, status: number, durationMs: number, error: unknown): void {
  const line = JSON.stringify({
    function: invocation.functionName,
    requestId: invocation.invocationId,
    status,
    durationMs: Math.round(durationMs),
    ...(error !== undefined && describeFailure(error)),
  });
  if (status >= 500) invocation.error(line);
  else invocation.log(line);
}
