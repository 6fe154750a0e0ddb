import type { ServerResponse } from 'node:http';
import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { ConfigError } from '../config.ts';
import { type Deadline, startDeadline } from '../deadline.ts';
import { type Services, type Stores, services } from '../services.ts';
import { readBody } from './body.ts';
import { AppError } from './errors.ts';
import { findRequest } from './proxied.ts';
import { errorResponse, withCommonHeaders } from './responses.ts';

/** What a handler is given besides the request. */
export interface RequestContext extends Services, Stores {
  readonly deadline: Deadline;
  /** Aborts when the client disconnects; only HTTP streaming lets the worker know. */
  readonly signal: AbortSignal;
  /** The response under way, for back-pressure; undefined without HTTP streaming. */
  readonly outgoing: ServerResponse | undefined;
  /** Writes a line about what happened, with the request's id; ids and codes only. */
  readonly log: (facts: Record<string, string>) => void;
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
    const deadline = startDeadline();
    const startedAt = performance.now();
    let response: HttpResponseInit;
    let fault: unknown;
    try {
      const built = services();
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
          ...built,
          ...built.openStores(deadline),
          deadline,
          signal: proxied?.signal ?? new AbortController().signal,
          outgoing: proxied?.outgoing,
          log: (facts) => invocation.log(JSON.stringify({ ...facts, requestId: invocation.invocationId })),
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
    ...(fault !== undefined && describe(fault)),
  });
  if (status >= 500) invocation.error(line);
  else invocation.log(line);
}

function describe(fault: unknown): object {
  if (fault instanceof ConfigError) return { faults: fault.faults };
  if (!(fault instanceof AppError)) return { error: causes(fault), stack: frames(fault) };
  return {
    code: fault.code,
    ...(fault.options.cause !== undefined && { error: causes(fault.options.cause) }),
  };
}

/** Names, codes and statuses down the chain of causes, such as `APIConnectionError < TypeError < ECONNREFUSED`. */
function causes(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 4) return '';
  const { code, status, statusCode, cause } = error as Error & Record<string, unknown>;
  const facts = [status ?? statusCode, code].filter((fact) => /^[\w.-]{1,64}$/.test(String(fact ?? '')));
  const next = causes(cause, depth + 1);
  return [error.name, ...facts].join(' ') + (next && ` < ${next}`);
}

/** Where it was thrown, without the message in front. */
const frames = (error: unknown): string[] =>
  error instanceof Error
    ? (error.stack ?? '')
        .split('\n')
        .filter((line) => line.startsWith('    at '))
        .slice(0, 8)
    : [];
