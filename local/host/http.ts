import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  type ClientRequest,
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { RpcHttp } from './functionsCore.ts';
import { RequestError, watchRate } from './limits.ts';
import { writeLog } from './log.ts';
import { endsWithNewline } from './newline.ts';
import { hostReasons, logHostResponse, respondUnserved } from './unserved.ts';
import type { RegisteredRoute } from './worker.ts';
import { InvocationFailure, type WorkerChannel } from './workerChannel.ts';

export interface HttpOptions {
  /** Maximum size of a request body, in bytes; `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` of the real host. */
  readonly maxBodyBytes: number;
  /** Whether to keep a client's `x-ms-invocation-id`, as hosts did before azure-functions-host#10980. */
  readonly keepsInvocationId: boolean;
  /** Whether curl gets JSON with a line break at its end. */
  readonly endsWithNewline: boolean;
}

/** Matches a request with its invocation. Internal to host and worker. */
const invocationHeader = 'x-ms-invocation-id';

/** How long the real host waits for data from the worker, in milliseconds. */
const activityTimeoutMs = 240_000;

/**
 * Maximum size of a body that is parsed for binding data, in bytes. The real host parses every body with a
 * `Content-Length`, buffering all of it.
 */
const maxBindingBytes = 4 * 1024 * 1024;

/**
 * Serves a request as host and worker do: the library's programming model creates the function's request and reads its
 * response. An error results in a 500 with an empty body.
 */
export async function serve(
  worker: WorkerChannel,
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`);
  if (!url || !isAcceptable(request)) {
    logHostResponse(request, 400, 'The path has an encoded NUL, or a header has characters beyond ASCII.');
    return void response.writeHead(400).end();
  }
  const { routes, httpUri } = await worker.ready();
  const match = findRoute(routes, request.method ?? 'GET', url.pathname);
  if (!match) return respondUnserved(routes, request, url.pathname, response);
  const watch = watchRate(request, options.maxBodyBytes);
  try {
    const call = { ...match, request, url, options };
    if (httpUri === undefined) await invokeBuffered(worker, call, response, watch.failed);
    else await invokeStreaming(worker, call, httpUri, response, watch.failed);
  } catch (error) {
    // The real host logs the message, which may quote the request.
    if (error instanceof InvocationFailure)
      writeLog('error', `${match.route.functionName} threw ${error.message}`);
    // A client that has left gets no response.
    if (response.headersSent || response.destroyed) return void response.destroy();
    const status = toStatus(error);
    if (!(error instanceof InvocationFailure)) logHostResponse(request, status, hostReasons[status] ?? '');
    response.writeHead(status, request.complete ? {} : { Connection: 'close' }).end();
  } finally {
    watch.stop();
  }
}

function toStatus(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  return error instanceof InvocationFailure ? 500 : 502;
}

/** Returns false for requests that Kestrel rejects: an encoded NUL in the path, or non-ASCII headers. */
const isAcceptable = ({ url = '', rawHeaders }: IncomingMessage): boolean =>
  !url.split('?', 1)[0]?.includes('%00') && rawHeaders.every((text) => /^[\t\x20-\x7e]*$/.test(text));

interface Call {
  readonly route: RegisteredRoute;
  readonly params: Record<string, string>;
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly options: HttpOptions;
}

/** Without HTTP streaming: request and response are buffered and part of the invocation. */
async function invokeBuffered(
  worker: WorkerChannel,
  { route, params, request, url }: Call,
  response: ServerResponse,
  failed: Promise<never>,
): Promise<void> {
  const body = await Promise.race([buffer(request), failed]);
  const requestData = {
    method: request.method,
    url: url.href,
    nullableHeaders: nullable(headers(request)),
    nullableParams: nullable(params),
    nullableQuery: nullable(query(url)),
    body: { bytes: body },
  };
  const { returnValue } = (await worker.invoke({
    functionName: route.functionName,
    inputData: [{ name: route.bindingName, data: { http: requestData } }],
    triggerMetadata: {},
  })) as { returnValue?: { http?: RpcHttp } | null };
  const http = returnValue?.http;
  response
    .writeHead(Number(http?.statusCode ?? 200), http?.headers)
    .end(http?.body?.bytes ?? http?.body?.string ?? '');
}

/** With HTTP streaming: sends the invocation to the worker, and proxies the request to the library's HTTP server. */
async function invokeStreaming(
  worker: WorkerChannel,
  call: Call,
  httpUri: string,
  response: ServerResponse,
  failed: Promise<never>,
): Promise<void> {
  const { route, request, url, options } = call;
  const buffered = isBuffered(request) ? await Promise.race([buffer(request), failed]) : undefined;
  const invocationId = randomUUID();
  const upstream = forward(new URL(url.pathname + url.search, httpUri), {
    method: request.method,
    timeout: activityTimeoutMs,
    // Hop-by-hop headers apply to the client's connection only.
    headers: {
      ...withoutHopByHop(headers(request)),
      ...(hasBody(request) &&
        request.headers['content-length'] === undefined && { 'transfer-encoding': 'chunked' }),
      [invocationHeader]:
        (options.keepsInvocationId && request.headers[invocationHeader]?.toString()) || invocationId,
      'x-forwarded-host': url.host,
      'x-forwarded-proto': 'http',
    },
  });
  upstream.once('timeout', () => upstream.destroy(new RequestError(504)));
  response.once('close', () => upstream.destroy());
  const responded = new Promise<IncomingMessage>((resolve, reject) => {
    upstream.once('response', resolve).once('error', reject);
  });
  // Only the first failure is reported; later ones are its consequences.
  responded.catch(() => undefined);
  // Like the real host, do not respond when this fails (azure-functions-nodejs-library#324).
  worker
    .invoke({
      invocationId,
      functionName: route.functionName,
      inputData: [{ name: route.bindingName, data: {} }],
      triggerMetadata: triggerMetadata(call, buffered),
    })
    .catch((error) => writeLog('error', `${route.functionName} threw ${error.message}`));
  // Like .NET's HTTP client, read no response before the whole request is sent.
  const sent = buffered || !hasBody(request) ? void upstream.end(buffered) : sendBody(request, upstream);
  const incoming = await Promise.race([Promise.all([responded, sent]).then(([first]) => first), failed]);
  const newline = options.endsWithNewline && endsWithNewline(request, incoming);
  const { 'content-length': length, ...others } = withoutHopByHop(incoming.headers);
  const addedLength = length !== undefined && { 'content-length': Number(length) + (newline ? 1 : 0) };
  response.writeHead(incoming.statusCode ?? 502, { ...others, ...addedLength });
  // Events may be delayed; any other body follows immediately and can be sent with the headers.
  if (incoming.headers['content-type']?.startsWith('text/event-stream')) response.flushHeaders();
  incoming.once('error', () => response.destroy());
  incoming.pipe(response, { end: !newline });
  if (newline) incoming.once('end', () => response.end('\n'));
}

/** Streams a body with back-pressure, even after the worker has responded. */
async function sendBody(request: IncomingMessage, upstream: ClientRequest): Promise<void> {
  const [socket]: Socket[] = upstream.socket ? [upstream.socket] : await once(upstream, 'socket');
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (upstream.destroyed) throw new Error('the worker closed the connection');
    if (upstream.write(chunk)) continue;
    // The request emits no `drain` after its response, so wait for the socket's.
    await new Promise<void>((resolve) => {
      const go = () => {
        socket?.off('drain', go).off('close', go);
        resolve();
      };
      socket?.on('drain', go).on('close', go);
    });
  }
  upstream.end();
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Returns whether the host buffers the body before the invocation: if its length is known. */
const isBuffered = ({ headers }: IncomingMessage): boolean => {
  const length = Number(headers['content-length'] ?? 0);
  return length > 0 && length <= maxBindingBytes;
};

const hopByHop = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  invocationHeader,
];

const withoutHopByHop = <T extends IncomingHttpHeaders>(all: T) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !hopByHop.includes(name)));

/**
 * Returns the trigger metadata of a proxied request. Route parameters override query parameters, which override
 * top-level properties of a JSON body; each can override `Headers`.
 */
function triggerMetadata({ params, request, url }: Call, body: Buffer | undefined): Record<string, object> {
  return {
    ...encoded({ Headers: headers(request), Query: query(url) }),
    ...properties(body),
    ...encoded(query(url)),
    ...encoded(params),
  };
}

const encoded = (values: object): Record<string, object> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      // The host encodes structured values as JSON.
      typeof value === 'string' ? { string: value } : { json: JSON.stringify(value) },
    ]),
  );

/** Returns the properties of a JSON body. Like the real host, ignores one that it cannot parse or that is too deep. */
function properties(body: Buffer | undefined): Record<string, object> {
  if (!body) return {};
  try {
    const value = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? encoded(value) : {};
  } catch {
    return {};
  }
}

function findRoute(routes: readonly RegisteredRoute[], method: string, path: string) {
  for (const route of routes) {
    const match = route.methods.has(method) ? route.pattern.exec(path) : null;
    const params = match && decode(match.groups ?? {});
    if (params) return { route, params };
  }
  return undefined;
}

/** Decodes parameters. @returns null for invalid percent-encoding, which matches no route. */
function decode(groups: Record<string, string>): Record<string, string> | null {
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]),
    );
  } catch {
    return null;
  }
}

/** Returns the query parameters, repeated ones joined by commas as in the real host. */
const query = ({ searchParams }: URL) =>
  Object.fromEntries(
    [...new Set(searchParams.keys())].map((name) => [name, searchParams.getAll(name).join(',')]),
  );

const headers = ({ headersDistinct }: IncomingMessage) =>
  Object.fromEntries(
    Object.entries(headersDistinct).map(([name, values]) => [name, values?.join(', ') ?? '']),
  );

const nullable = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));
