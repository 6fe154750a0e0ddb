import type { ServerResponse } from 'node:http';
import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { describeFailure, type LogFacts } from '../failures.ts';
import { openContext, type ServiceContext } from '../invocation.ts';
import type { FormUpload } from '../model/file.ts';
import { findRequest } from './proxyRequest.ts';
import { readBody } from './readBody.ts';
import { readUpload } from './readUpload.ts';
import { errorResponse, withCommonHeaders } from './responses.ts';

/** Context of a request. */
export interface RequestContext extends ServiceContext {
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  /** The outgoing response, for back-pressure. */
  readonly outgoing: ServerResponse;
  /** Adds facts to the request's line in the log: ids that were checked, never text that people wrote. */
  readonly note: (facts: LogFacts) => void;
}

/** A request as seen by handlers, with the headers that the client sent. */
export interface ApiRequest extends Pick<HttpRequest, 'headers' | 'method' | 'params' | 'query' | 'url'> {
  /**
   * Reads the body. It is not read unless a handler calls this.
   * @param maxBytes of the body; 2 MiB by default.
   * @throws {AppError} as {@link readBody}.
   */
  text(maxBytes?: number): Promise<string>;
}

/** A request whose body may be a file. */
export interface UploadRequest extends ApiRequest {
  /**
   * Reads the body as a form with one file, whose content is read by the caller.
   * @throws {AppError} as {@link readUpload}.
   */
  upload(maxBytes: number): Promise<FormUpload>;
}

type Respond = (request: UploadRequest, context: RequestContext) => Promise<HttpResponseInit>;

/** Returns the response to a request that failed with an error. */
export type ToErrorResponse = (
  error: unknown,
  requestId: string,
  request: Pick<ApiRequest, 'method' | 'url'>,
) => HttpResponseInit | Promise<HttpResponseInit>;

/**
 * Wraps a handler with what every request needs: the services, error responses, an `X-Request-Id` (the invocation's id)
 * and a log line. Without it, the runtime would respond to a thrown error with an empty 500.
 * @param failure the route's message for 500 and 503 responses, or a function for error responses of another form.
 */
export function endpoint(failure: string | ToErrorResponse, respond: Respond): HttpHandler {
  const toErrorResponse: ToErrorResponse =
    typeof failure === 'string' ? (error, requestId) => errorResponse(error, failure, requestId) : failure;
  return async (request, invocation) => {
    const startedAt = performance.now();
    let response: HttpResponseInit;
    let failureCause: unknown;
    const done = new AbortController();
    let noted: LogFacts = {};
    try {
      const context = openContext(invocation);
      const { headers, signal, incoming, outgoing } = findRequest(invocation.invocationId);
      response = await respond(
        {
          headers,
          method: request.method,
          params: request.params,
          query: request.query,
          url: request.url,
          text: (maxBytes) => readBody(incoming, headers.get('Content-Length'), maxBytes),
          upload: (maxBytes) => readUpload(incoming, headers, maxBytes, done.signal),
        },
        {
          ...context,
          signal,
          outgoing,
          note: (facts) => {
            noted = { ...noted, ...facts };
          },
        },
      );
    } catch (error) {
      failureCause = error;
      response = await toErrorResponse(error, invocation.invocationId, request);
    } finally {
      done.abort();
    }
    logRequest(invocation, {
      method: request.method,
      path: pathPattern(invocation),
      ...noted,
      status: response.status ?? 200,
      durationMs: Math.round(performance.now() - startedAt),
      ...(failureCause !== undefined && describeFailure(failureCause)),
    });
    return withCommonHeaders(response, invocation.invocationId);
  };
}

/** Returns the path of the function's route, with its parameters in braces. */
const pathPattern = ({ functionName, options }: InvocationContext): string =>
  `/api/${options.trigger['route'] ?? functionName}`;

/** Logs a request. Omits headers, path, query, body and error messages, which may contain user content. */
function logRequest(invocation: InvocationContext, facts: LogFacts & { readonly status: number }): void {
  const { functionName, invocationId } = invocation;
  const line = JSON.stringify({ function: functionName, requestId: invocationId, ...facts });
  if (facts.status >= 500) invocation.error(line);
  else invocation.log(line);
}
