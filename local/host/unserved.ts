import type { IncomingMessage, ServerResponse } from 'node:http';
import { log } from './functionsCore.ts';
import type { RegisteredRoute } from './worker.ts';

/** Maximum number of characters of a request's path in the log. */
const maxPathLength = 200;

/**
 * Logs why the host itself responds. The real host's responses have no body, and it logs nothing about most of them.
 * The path, without the query, may be shown here, because this host runs on a developer's machine only.
 */
export function logHostResponse({ method, url = '' }: IncomingMessage, status: number, reason: string): void {
  const path = url.split('?', 1)[0]?.slice(0, maxPathLength) ?? '';
  log('warning', 'host', JSON.stringify({ event: 'host_response', method, path, status, reason }));
}

/** Logs why the host responds to what is no HTTP request. @param code of Node's parser. */
export const logMalformed = (status: number, code = 'unknown'): void =>
  log(
    'warning',
    'host',
    JSON.stringify({ event: 'host_response', status, reason: `The request is malformed (${code}).` }),
  );

/** Responds to a request that no function serves, as the real host: 404 without a body, but with a page at `/`. */
export function respondUnserved(
  routes: readonly RegisteredRoute[],
  request: IncomingMessage,
  path: string,
  response: ServerResponse,
): void {
  const status =
    path !== '/' ? 404 : process.env['AzureWebJobsDisableHomepage']?.toLowerCase() === 'true' ? 204 : 200;
  logHostResponse(request, status, whyUnserved(routes, path));
  if (status !== 200) return void response.writeHead(status).end();
  response.writeHead(200, { 'Content-Type': 'text/html' }).end(homepage);
}

/** Why the host ends a request that a function serves, by status. */
export const hostReasons: Readonly<Record<number, string>> = {
  408: 'The request body arrives too slowly.',
  413: 'The request body is larger than the host accepts.',
  500: 'The request body is malformed.',
  502: 'The worker broke the connection.',
  504: 'The worker sent nothing for four minutes.',
};

/** Says why no function serves a path. */
function whyUnserved(routes: readonly RegisteredRoute[], path: string): string {
  const methods = routes.flatMap((route) => (route.pattern.test(path) ? [...route.methods] : []));
  if (methods.length > 0) return `The path takes ${[...new Set(methods)].join(', ')} only.`;
  // The route prefix of host.json, if there is one.
  const [prefix, ...others] = new Set(routes.map(({ pattern }) => pattern.source.split('\\/')[1]));
  const isBelow = path.split('/')[1]?.toLowerCase() === prefix?.toLowerCase();
  if (routes.length > 1 && others.length === 0 && !isBelow) return `All routes are under /${prefix}.`;
  return 'No function has a route for this path.';
}

/** The page that the real host shows at `/` unless `AzureWebJobsDisableHomepage` is true; its text is this host's own. */
const homepage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Functions app</title>
<p>The local Functions host is running. The app's routes are under <code>/api</code>, and
<a href="/api/openapi.json">/api/openapi.json</a> describes them.</p>
</html>
`;
