import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Route } from './app.ts';
import { getProgrammingModel, type RpcHttp } from './functionsCore.ts';

/**
 * Carries one request through the app as host and worker do it together: the library's own programming model builds
 * the request that a function sees and reads the answer it gives. What throws answers 500 with an empty body.
 */
export async function invoke(routes: readonly Route[], request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`);
  const match = findRoute(routes, request.method ?? 'GET', url.pathname);
  if (!match) return void response.writeHead(404).end();
  try {
    const answer = await run(match.route, {
      method: request.method,
      url: url.href,
      nullableHeaders: nullable(headers(request)),
      nullableParams: nullable(match.params),
      nullableQuery: nullable(query(url)),
      body: { bytes: await buffer(request) },
    });
    const body = answer?.body?.bytes ?? answer?.body?.string ?? '';
    response.writeHead(Number(answer?.statusCode ?? 200), answer?.headers).end(body);
  } catch (error) {
    console.error(`[error] ${match.route.registration.metadata.name} threw ${(error as Error).name}`);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

async function run({ registration, bindingName }: Route, http: object): Promise<RpcHttp | undefined> {
  const invocationId = randomUUID();
  const model = getProgrammingModel().getInvocationModel({
    invocationId,
    metadata: registration.metadata,
    request: { invocationId, inputData: [{ name: bindingName, data: { http } }], triggerMetadata: {} },
    log: (level: string, _category: string, message: string) => console.error(`[${level}] ${message}`),
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
