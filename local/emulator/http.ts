import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { ApiError, badRequest, invalidType } from './errors.ts';
import type { StreamFault } from './faults.ts';
import type { JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/** A parsed request. */
export interface Call {
  /** The path segments matched by `*` in the route, in order. */
  ids: string[];
  query: URLSearchParams;
  body: JsonObject;
  /** The parts of a multipart request; null for another. */
  form: FormData | null;
  /** Calls the listener when the client disconnects before the response is complete. */
  onDisconnect(listener: () => void): void;
  /** The fault to inject into the response's stream. */
  streamFault: StreamFault | null;
}

/** Result of a handler. */
export type HandlerResult =
  | { status: number; body: unknown }
  | { content: Buffer; filename: string; cutAfterBytes?: number }
  | { stream: (response: ServerResponse) => void };

export function ok(body: unknown): HandlerResult {
  return { status: 200, body };
}

/** Reads the body of a request; empty if the client disconnected before it was complete. */
export async function readContent(request: IncomingMessage): Promise<Buffer> {
  return request.method === 'GET' ? Buffer.alloc(0) : buffer(request).catch(() => Buffer.alloc(0));
}

/** Parses a multipart request. @throws {ApiError} 400 */
export async function parseForm(content: Buffer, contentType: string): Promise<FormData> {
  const request = new Response(new Uint8Array(content), { headers: { 'content-type': contentType } });
  return request.formData().catch(() => {
    throw badRequest('Could not parse multipart form');
  });
}

/** Parses the JSON object of a request; `{}` for an empty body. @throws {ApiError} 400 */
export function parseBody(content: Buffer): JsonObject {
  const body = content.length === 0 ? {} : parseJson(content.toString());
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

/** Sends the result of a handler, unless the client has disconnected. */
export function send(response: ServerResponse, result: HandlerResult, processingMs = 0): void {
  if (response.destroyed) return;
  response.setHeader('openai-processing-ms', processingMs);
  if ('stream' in result) result.stream(response);
  else if ('content' in result) sendContent(response, result);
  else sendJson(response, result.status, result.body);
}

function sendContent(
  response: ServerResponse,
  { content, filename, cutAfterBytes }: Extract<HandlerResult, { content: Buffer }>,
): void {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': content.length,
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(filename)}`,
  });
  if (cutAfterBytes === undefined) response.end(content);
  else response.write(content.subarray(0, cutAfterBytes), () => response.destroy());
}

/** Maps an error to a response. Logs the stack frames of an unexpected error, but not its message. */
export function toErrorResult(error: unknown): HandlerResult {
  if (error instanceof ApiError) return { status: error.status, body: error.body };
  const frames =
    error instanceof Error ? error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) : [];
  console.error(['emulator: unexpected error', ...(frames ?? [])].join('\n'));
  const message = 'The server had an error while processing your request. Sorry about that!';
  return { status: 500, body: new ApiError(500, message, { type: 'server_error' }).body };
}
