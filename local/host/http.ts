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
import type { RegisteredRoute } from './worker.ts';
import { InvocationFailure, type WorkerChannel } from './workerChannel.ts';

export interface HttpOptions {
  /** Largest request body in bytes; `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` of the real host. */
  readonly maxBodyBytes: number;
  /** As hosts before azure-functions-host#10980: a client's own `x-ms-invocation-id` is not overwritten. */
  readonly keepsInvocationId: boolean;
}

/** How the library joins a request with its invocation; host and worker keep it between them. */
const invocationHeader = 'x-ms-invocation-id';

/** What the real host waits for the next byte from the worker, in milliseconds. */
const activityTimeoutMs = 240_000;

/**
 * Largest body that is searched for binding data, in bytes. The real host searches every body that has a
 * `Content-Length`, and holds all of it in memory for that.
 */
const maxBindingBytes = 4 * 1024 * 1024;

/**
 * Carries one request through the app as host and worker do it together: the library's own programming model builds
 * the request that a function sees and reads the response it gives. What throws answers 500 with an empty body.
 */
export async function serve(
  worker: WorkerChannel,
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`);
  if (!url || !isAcceptable(request)) return void response.writeHead(400).end();
  const { routes, httpUri } = await worker.ready();
  const match = findRoute(routes, request.method ?? 'GET', url.pathname);
  if (!match) return void response.writeHead(404).end();
  const watch = watchRate(request, options.maxBodyBytes);
  try {
    const call = { ...match, request, url, options };
    if (httpUri === undefined) await answer(worker, call, response, watch.failed);
    else await stream(worker, call, httpUri, response, watch.failed);
  } catch (error) {
    // The real host logs the message, which may quote the request.
    if (error instanceof InvocationFailure)
      console.error(`[error] ${match.route.functionName} threw ${error.message}`);
    if (response.headersSent) response.destroy();
    else response.writeHead(toStatus(error), request.complete ? {} : { Connection: 'close' }).end();
  } finally {
    watch.stop();
  }
}

function toStatus(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  return error instanceof InvocationFailure ? 500 : 502;
}

/** What Kestrel refuses before any function is looked for: an encoded NUL, and headers beyond ASCII. */
const isAcceptable = ({ url = '', rawHeaders }: IncomingMessage): boolean =>
  !url.split('?', 1)[0]?.includes('%00') && rawHeaders.every((text) => /^[\t\x20-\x7e]*$/.test(text));

interface Call {
  readonly route: RegisteredRoute;
  readonly params: Record<string, string>;
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly options: HttpOptions;
}

/** Classic: request and response travel whole, within the invocation. */
async function answer(
  worker: WorkerChannel,
  { route, params, request, url }: Call,
  response: ServerResponse,
  failed: Promise<never>,
): Promise<void> {
  const body = await Promise.race([buffer(request), failed]);
  const http = {
    method: request.method,
    url: url.href,
    nullableHeaders: nullable(headers(request)),
    nullableParams: nullable(params),
    nullableQuery: nullable(query(url)),
    body: { bytes: body },
  };
  const { returnValue } = (await worker.invoke({
    functionName: route.functionName,
    inputData: [{ name: route.bindingName, data: { http } }],
    triggerMetadata: {},
  })) as { returnValue?: { http?: RpcHttp } | null };
  const answered = returnValue?.http;
  response
    .writeHead(Number(answered?.statusCode ?? 200), answered?.headers)
    .end(answered?.body?.bytes ?? answered?.body?.string ?? '');
}

/** Streaming: the invocation goes one way, and the HTTP request itself to the server that the library runs. */
async function stream(
  worker: WorkerChannel,
  call: Call,
  httpUri: string,
  response: ServerResponse,
  failed: Promise<never>,
): Promise<void> {
  const { route, request, url, options } = call;
  const searched = isSearched(request) ? await Promise.race([buffer(request), failed]) : undefined;
  const invocationId = randomUUID();
  const upstream = forward(new URL(url.pathname + url.search, httpUri), {
    method: request.method,
    timeout: activityTimeoutMs,
    // What the client asked of its own connection is not for the next one.
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
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    upstream.once('response', resolve).once('error', reject);
  });
  // Whatever fails first is told; the others then fail for that reason.
  answered.catch(() => undefined);
  // The real host does not respond either when this throws, see azure-functions-nodejs-library#324.
  worker
    .invoke({
      invocationId,
      functionName: route.functionName,
      inputData: [{ name: route.bindingName, data: {} }],
      triggerMetadata: triggerMetadata(call, searched),
    })
    .catch((error) => console.error(`[error] ${route.functionName} threw ${error.message}`));
  // .NET's client reads no response before it has sent the whole request.
  const sent = searched || !hasBody(request) ? void upstream.end(searched) : sendBody(request, upstream);
  const incoming = await Promise.race([Promise.all([answered, sent]).then(([first]) => first), failed]);
  response.writeHead(incoming.statusCode ?? 502, withoutHopByHop(incoming.headers));
  // Events may be a while in coming; any other body is there at once, and travels with its headers.
  if (incoming.headers['content-type']?.startsWith('text/event-stream')) response.flushHeaders();
  incoming.once('error', () => response.destroy());
  incoming.pipe(response);
}

/** Sends a body as it comes, and no faster than the worker takes it, also when that has answered already. */
async function sendBody(request: IncomingMessage, upstream: ClientRequest): Promise<void> {
  const [socket]: Socket[] = upstream.socket ? [upstream.socket] : await once(upstream, 'socket');
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (upstream.destroyed) throw new Error('the worker closed the connection');
    if (upstream.write(chunk)) continue;
    // Of the request itself there is no `drain` any more once it has its response.
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

/** The host reads a body of known length before the invocation. */
const isSearched = ({ headers }: IncomingMessage): boolean => {
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
 * What the host tells about a request that travels on its own. Route parameters win over query values and those over
 * the top-level properties of a JSON body, all in one bag; and a value `Headers` replaces the request's.
 */
function triggerMetadata({ params, request, url }: Call, body: Buffer | undefined): Record<string, object> {
  const bag = {
    Headers: headers(request),
    Query: query(url),
    ...properties(body),
    ...query(url),
    ...params,
  };
  return Object.fromEntries(
    Object.entries(bag).map(([name, value]) => [
      name,
      // The host passes on text that is JSON as JSON.
      typeof value === 'string' ? { string: value } : { json: JSON.stringify(value) },
    ]),
  );
}

function properties(body: Buffer | undefined): object {
  if (!body) return {};
  try {
    const value = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
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

/** @returns null when a part is not valid percent-encoding: no route can mean it. */
function decode(groups: Record<string, string>): Record<string, string> | null {
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]),
    );
  } catch {
    return null;
  }
}

/** Repeated query parameters arrive joined by commas, as from the real host. */
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
