import { type Client, createClient } from '@thread-run-service/client';
import { createRecorder, type Recorder } from './recorder.ts';
import { apiUrl, fetchLocalSession, type LocalSession, type ProjectChoice } from './signingIn.ts';

/** What the page works with while it is signed in. The token is in a closure here, and nowhere else. */
export interface Session {
  readonly client: Client;
  readonly recorder: Recorder;
  readonly projectId: string;
  /** Projects to change to without signing in again. */
  readonly projects: readonly ProjectChoice[];
}

interface SessionOptions extends LocalSession {
  /** Whether `npm start` gave the token, and gives another one. */
  readonly isLocal: boolean;
  /** Asks the user for another token. */
  readonly askForToken: () => Promise<string>;
}

export function createSession({ token, projectId, projects, isLocal, askForToken }: SessionOptions): Session {
  const recorder = createRecorder();
  let next: string | undefined = token;
  const client = createClient({
    baseUrl: apiUrl,
    projectId,
    fetch: recorder.fetch,
    // Called once, and again whenever the service has refused the token.
    token: async () => {
      const first = next;
      next = undefined;
      const renewed = first ?? (isLocal ? (await fetchLocalSession(projectId))?.token : undefined);
      return renewed ?? askForToken();
    },
  });
  return { client, recorder, projectId, projects };
}

/** Tries a token. @throws {ApiError} when it gives no access to the project. */
export async function tryToken(token: string, projectId: string): Promise<void> {
  await createClient({ baseUrl: apiUrl, projectId, token }).threads.list({ limit: 1 });
}
