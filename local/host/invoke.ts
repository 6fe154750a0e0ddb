import { randomUUID } from 'node:crypto';
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { App, Route } from './app.ts';
import { getProgrammingModel, log, type RpcHttp } from './functionsCore.ts';

/**
 * Carries one request through the app as host and worker do it together: the library's own programming model builds
 * the request that a function sees and reads the answer it gives. What throws answers 500 with an empty body.
 */
export async function invoke(app: App, request: IncomingMessage, response: ServerResponse) {
  const url = URL.parse(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`);
  if (!url) return void response.writeHead(400).end();
  const match = findRoute(app.routes, request.method ?? 'GET', url.pathname);
  if (!match) return void response.writeHead(404).end();
  try {
    const call = { ...match, request, url, body: await buffer(request) };
    if (app.httpUri === undefined) await answer(call, response);
    else await stream(call, app.httpUri, response);
  } catch (error) {
    console.error(`[error] ${match.route.registration.metadata.name} threw ${(error as Error).name}`);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

/** How the library joins a request with its invocation; host and worker keep it between them. */
const invocationHeader = 'x-ms-invocation-id';

interface Call {
  readonly route: Route;
  readonly params: Record<string, string>;
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly body: Buffer;
}

/** Classic: request and answer travel whole, within the invocation. */
async function answer({ route, params, request, url, body }: Call, response: ServerResponse): Promise<void> {
  const http = {
    method: request.method,
    url: url.href,
    nullableHeaders: nullable(headers(request)),
    nullableParams: nullable(params),
    nullableQuery: nullable(query(url)),
    body: { bytes: body },
  };
  const answered = await run(route, randomUUID(), { http }, {});
  response
    .writeHead(Number(answered?.statusCode ?? 200), answered?.headers)
    .end(answered?.body?.bytes ?? answered?.body?.string ?? '');
}

/** Streaming: the invocation goes one way, and the HTTP request itself to the server that the library runs. */
async function stream(call: Call, httpUri: string, response: ServerResponse): Promise<void> {
  const { route, request, url, body } = call;
  const invocationId = randomUUID();
  const upstream = forward(new URL(url.pathname + url.search, httpUri), {
    method: request.method,
    headers: {
      ...headers(request),
      [invocationHeader]: invocationId,
      'x-forwarded-host': url.host,
      'x-forwarded-proto': 'http',
    },
  });
  response.once('close', () => upstream.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    upstream.once('response', resolve).once('error', reject);
  });
  upstream.end(body);
  // The real host does not answer either when this throws, see azure-functions-nodejs-library#324.
  run(route, invocationId, {}, triggerMetadata(call)).catch((error) =>
    console.error(`[error] ${route.registration.metadata.name} threw ${error.name}`),
  );
  const incoming = await answered;
  const { [invocationHeader]: _own, ...answeredHeaders } = incoming.headers;
  response.writeHead(incoming.statusCode ?? 502, answeredHeaders);
  // Events may be a while in coming; any other body is there at once, and travels with its headers.
  if (incoming.headers['content-type']?.startsWith('text/event-stream')) response.flushHeaders();
  incoming.once('error', () => response.destroy());
  incoming.pipe(response);
}

/**
 * What the host tells about a request that travels on its own. Route parameters win over query values and those over
 * the top-level properties of a JSON body, all in one bag; and a body's `Headers` replaces the request's.
 */
function triggerMetadata({ params, request, url, body }: Call): Record<string, object> {
  const bag = { Headers: headers(request), Query: query(url), ...properties(body), ...query(url), ...params };
  return Object.fromEntries(
    Object.entries(bag).map(([name, value]) => [
      name,
      typeof value === 'string' ? { string: value } : { json: JSON.stringify(value) },
    ]),
  );
}

function properties(body: Buffer): object {
  if (body.length === 0) return {};
  try {
    const value = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

async function run(
  { registration, bindingName }: Route,
  invocationId: string,
  data: object,
  triggerMetadata: object,
): Promise<RpcHttp | undefined> {
  const model = getProgrammingModel().getInvocationModel({
    invocationId,
    metadata: registration.metadata,
    request: { invocationId, inputData: [{ name: bindingName, data }], triggerMetadata },
    log,
  });
  const { context, inputs } = await model.getArguments();
  const result = await model.invokeFunction(context, inputs, registration.callback);
  return (await model.getResponse(context, result)).returnValue?.http;
}

function findRoute(routes: readonly Route[], method: string, path: string) {
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
