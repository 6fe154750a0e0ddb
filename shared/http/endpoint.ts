import type { ServerResponse } from 'node:http';
import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { describeFailure } from '../failures.ts';
import { openContext, type ServiceContext } from '../invocation.ts';
import { findRequest } from './proxyRequest.ts';
import { readBody } from './readBody.ts';
import { errorResponse, withCommonHeaders } from './responses.ts';

/** What a handler is given besides the request. */
export interface RequestContext extends ServiceContext {
  /** Aborts when the client disconnects; only HTTP streaming lets the worker know. */
  readonly signal: AbortSignal;
  /** The response under way, for back-pressure; undefined without HTTP streaming. */
  readonly outgoing: ServerResponse | undefined;
}

/** What a handler may use of a request; its headers are those that the client sent. */
export interface ApiRequest extends Pick<HttpRequest, 'headers' | 'params' | 'query'> {
  /**
   * Reads the body, which nothing reads otherwise.
   * @throws {AppError} as {@link readBody} does.
   */
  text(): Promise<string>;
}

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
      const proxied = findRequest(invocation.invocationId);
      const headers = proxied?.headers ?? request.headers;
      response = await respond(
        {
          headers,
          params: request.params,
          query: request.query,
          text: () => readBody(proxied?.incoming ?? request.body, headers.get('Content-Length')),
        },
        {
          ...context,
          signal: proxied?.signal ?? new AbortController().signal,
          outgoing: proxied?.outgoing,
        },
      );
    } catch (error) {
      fault = error;
      response = errorResponse(error, failure, invocation.invocationId);
    }
    logRequest(invocation, response.status ?? 200, performance.now() - startedAt, fault);
    return withCommonHeaders(response, invocation.invocationId);
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
