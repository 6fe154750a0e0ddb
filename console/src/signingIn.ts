/** A project that one can sign in to. */
export interface ProjectChoice {
  readonly projectId: string;
  readonly name: string;
}

/** A session that `npm start` offers to the page at `/`. */
export interface LocalSession {
  readonly token: string;
  readonly projectId: string;
  readonly projects: readonly ProjectChoice[];
}

/** Whether the page is served by `npm start`, which signs it in. Elsewhere it is at `…/console`. */
export const isLocal = location.pathname === '/';

/** Base URL of the API: beside the console. */
export const apiUrl = isLocal
  ? `${location.origin}/api`
  : location.origin + location.pathname.replace(/\/console\/?$/, '');

/** Asks `npm start` for a session. @returns undefined when the service uses another issuer. */
export async function fetchLocalSession(projectId?: string): Promise<LocalSession | undefined> {
  if (!isLocal) return undefined;
  const response = await fetch('/console/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ projectId }),
  });
  if (!response.ok) return undefined;
  const session = (await response.json()) as Partial<LocalSession>;
  return session.token ? (session as LocalSession) : undefined;
}

/** Returns the projects that a token lists, for the form; the service alone decides about access. */
export function projectsOf(token: string): readonly string[] {
  try {
    const [, payload = ''] = token.split('.');
    const { projects } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as {
      projects?: unknown;
    };
    return Array.isArray(projects) ? projects.filter((id) => typeof id === 'string') : [];
  } catch {
    return [];
  }
}
