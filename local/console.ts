import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { demoProjectId } from './demo/demo.ts';
import { type Signer, signToken } from './issuer.ts';

/** What the page at `/` gets to sign in; nothing when the issuer is not the local one. */
export interface ConsoleSession {
  readonly token?: string;
  readonly projectId?: string;
  readonly projects?: readonly ConsoleProject[];
}

interface ConsoleProject {
  readonly projectId: string;
  readonly name: string;
}

/** Validity of a token. Short, because the page gets another one whenever a token is refused. */
const expiresInSeconds = 3600;

/**
 * Returns what serves the console at `/`, and signs the page in to a project of the local issuer.
 * @param signer undefined with an issuer of one's own.
 * @param projects returns the projects besides the demo.
 */
export function createLocalConsole(signer: Signer | undefined, projects: () => readonly ConsoleProject[]) {
  const session = async (projectId: string): Promise<ConsoleSession> =>
    signer
      ? {
          token: await signToken(signer, { sub: 'demo-user', projects: [projectId] }, expiresInSeconds),
          projectId,
          projects: [{ projectId: demoProjectId, name: 'Demo' }, ...projects()],
        }
      : {};

  /** @returns whether the request has been responded to; if not, its URL may have changed. */
  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const { method, url = '/' } = request;
    if (method === 'POST' && url === '/console/session') {
      if (!isOwnPage(request)) {
        response.writeHead(403).end();
        return true;
      }
      const body = (await json(request).catch(() => ({}))) as { projectId?: unknown };
      const projectId = typeof body.projectId === 'string' ? body.projectId : demoProjectId;
      response
        .writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
        .end(JSON.stringify(await session(projectId)));
      return true;
    }
    // The page and its assets are those of the function.
    if (/^\/(\?|$)/.test(url)) request.url = `/api/console${url.slice(1)}`;
    else if (url.startsWith('/console/')) request.url = `/api${url}`;
    return false;
  };
}

/**
 * Returns whether a request comes from the page on this machine. Other sites that a developer visits can reach the
 * service too, by its address or by a name that leads to it; their scripts must not get a token.
 */
function isOwnPage({ headers }: IncomingMessage): boolean {
  const { host = '', origin, 'content-type': contentType } = headers;
  return (
    /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host) &&
    origin === `http://${host}` &&
    contentType === 'application/json'
  );
}
