import type { IncomingMessage } from 'node:http';
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

/** Says why no function serves a path. */
export function whyUnserved(routes: readonly RegisteredRoute[], path: string): string {
  const methods = routes.flatMap((route) => (route.pattern.test(path) ? [...route.methods] : []));
  if (methods.length > 0) return `The path takes ${[...new Set(methods)].join(', ')} only.`;
  const prefix = routes[0]?.pattern.source.match(/^\^\\?\/([\w-]+)\\?\//)?.[1];
  if (prefix && !new RegExp(`^/${prefix}(/|$)`, 'i').test(path)) return `All routes are under /${prefix}.`;
  return 'No function has a route for this path.';
}

/** The page that the real host shows at `/` unless `AzureWebJobsDisableHomepage` is true; its text is this host's own. */
export const homepage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Functions app</title>
<p>The local Functions host is running. The app's routes are under <code>/api</code>, and
<a href="/api/openapi.json">/api/openapi.json</a> describes them.</p>
</html>
`;
