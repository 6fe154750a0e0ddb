import { deviations } from '../support/openApi.ts';
import type { Answer } from '../support/service.ts';
import type { Member } from './cluster.ts';
import type { Journal } from './journal.ts';

/** The contract's bound for every request, in milliseconds. */
const longestMs = 30_000;

/** For the client, the proxy and a machine with more work than processors. */
const toleranceMs = 2_000;

/** How long after a restart a connection to the former process may still be tried. */
const staleMs = 2_000;

export interface Call {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** How long the request asks to be made to wait. */
  readonly waitMs?: number;
  /** The client vanishes after so many milliseconds. */
  readonly vanishAfterMs?: number | undefined;
}

/** Sends a request to a path below `/api`. @returns undefined when no response came. */
export type Caller = (
  member: Member,
  method: string,
  path: string,
  call?: Call,
) => Promise<Answer | undefined>;

/** Creates a caller that counts what comes and checks each response against openapi.json. */
export function createCaller(journal: Journal, token: string): Caller {
  return async (member, method, path, { body, headers = {}, waitMs = 0, vanishAfterMs } = {}) => {
    const startedAt = Date.now();
    const limitMs = longestMs + waitMs + toleranceMs;
    const killsBefore = member.kills.length;
    try {
      const response = await fetch(`${member.url}/api/${path}`, {
        method,
        signal: AbortSignal.timeout(vanishAfterMs ?? limitMs),
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const json = response.headers.get('Content-Type')?.includes('json');
      const { status } = response;
      const answer: Answer = {
        status,
        headers: response.headers,
        text,
        body: json ? JSON.parse(text) : undefined,
      };
      journal.count(String(status));
      for (const deviation of deviations(method, path, answer)) {
        journal.violations.add(`not as described in openapi.json: ${deviation}`);
      }
      if (status === 500) {
        journal.violations.add(
          `${method} ${path} answered 500, request ${response.headers.get('X-Request-Id')}`,
        );
      }
      return answer;
    } catch (error) {
      const vanished = vanishAfterMs !== undefined && Date.now() - startedAt >= vanishAfterMs - 5;
      journal.count(vanished ? 'client vanished' : 'no response');
      // Only a worker that was killed may leave a request without a response.
      const killed = member.upSinceMs > startedAt - staleMs || member.kills.length > killsBefore;
      if (!vanished && !killed) {
        const ms = Date.now() - startedAt;
        journal.violations.add(`${method} ${path} had no response in ${ms} ms: ${(error as Error).name}`);
      }
      return undefined;
    }
  };
}
