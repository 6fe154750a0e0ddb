import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { ApiError, badRequest, invalidType } from './errors.ts';
import type { StreamFault } from './faults.ts';
import type { JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/** A request taken apart, as the handlers get it. */
export interface Call {
  /** The segments that stand for `*` in the route, in order. */
  ids: string[];
  query: URLSearchParams;
  body: JsonObject;
  /** Calls the listener when the client leaves before it was answered in full. */
  onClientGone(listener: () => void): void;
  /** What is ordered to happen to the stream that answers the call. */
  streamFault: StreamFault | null;
}

export type Reply = { status: number; body: unknown } | { stream: (response: ServerResponse) => void };

export function ok(body: unknown): Reply {
  return { status: 200, body };
}

/** All that a request carries; empty for a client that left before it had sent everything. */
export async function readContent(request: IncomingMessage): Promise<string> {
  return request.method === 'GET' ? '' : text(request).catch(() => '');
}

/** The JSON object of a request, `{}` for an empty body. @throws ApiError 400 */
export function parseBody(content: string): JsonObject {
  const body = content === '' ? {} : parseJson(content);
  if (!isObject(body)) throw invalidType('body', 'an object', body);
  return body;
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    const hint = 'HINT: This likely means you aren’t using your HTTP library correctly.';
    throw badRequest(
      `We could not parse the JSON body of your request. (${hint} The API expects a JSON payload, but what was sent was not valid JSON.)`,
    );
  }
}

export const eventStreamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
};

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const content = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': content.length });
  response.end(content);
}

/** Sends what a handler answered, to a client that is still there. */
export function send(response: ServerResponse, reply: Reply, processingMs = 0): void {
  if (response.destroyed) return;
  response.setHeader('openai-processing-ms', processingMs);
  if ('stream' in reply) reply.stream(response);
  else sendJson(response, reply.status, reply.body);
}

/** The answer to whatever a handler threw; an unexpected error shows its place in stderr, never its words. */
export function toErrorReply(error: unknown): Reply {
  if (error instanceof ApiError) return { status: error.status, body: error.body };
  const frames =
    error instanceof Error ? error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) : [];
  console.error(['emulator: unexpected error', ...(frames ?? [])].join('\n'));
  const message = 'The server had an error while processing your request. Sorry about that!';
  return { status: 500, body: new ApiError(500, message, { type: 'server_error' }).body };
}
