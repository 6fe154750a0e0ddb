import { deviations } from '../support/openApi.ts';
import type { TestResponse } from '../support/service.ts';
import type { Member } from './cluster.ts';
import type { Journal } from './journal.ts';

/** The API's time limit for a request, in milliseconds. */
const longestMs = 30_000;

/** Tolerance for the client, the proxy and an overloaded machine, in milliseconds. */
const toleranceMs = 2_000;

/** How long after a restart a client may still use a connection to the previous process, in milliseconds. */
const staleMs = 2_000;

export interface Call {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Time that the request asks to wait, in milliseconds. */
  readonly waitMs?: number;
  /** Time after which the client disconnects, in milliseconds. */
  readonly vanishAfterMs?: number | undefined;
}

/** Sends a request to a path below `/api`. @returns undefined without a response. */
export type Caller = (
  member: Member,
  method: string,
  path: string,
  call?: Call,
) => Promise<TestResponse | undefined>;

/** Creates a caller that counts responses and validates each against openapi.json. */
export function createCaller(journal: Journal, token: string): Caller {
  return async (member, method, path, { body, headers = {}, waitMs = 0, vanishAfterMs } = {}) => {
    const startedAt = Date.now();
    const limitMs = longestMs + waitMs + toleranceMs;
    const killsBefore = member.kills.length;
    try {
      const received = await fetch(`${member.url}/api/${path}`, {
        method,
        signal: AbortSignal.timeout(vanishAfterMs ?? limitMs),
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await received.text();
      const json = received.headers.get('Content-Type')?.includes('json');
      const { status } = received;
      const response: TestResponse = {
        status,
        headers: received.headers,
        text,
        body: json ? JSON.parse(text) : undefined,
      };
      journal.count(String(status));
      for (const deviation of deviations(method, path, response)) {
        journal.violations.add(`not as described in openapi.json: ${deviation}`);
      }
      if (status === 500) {
        journal.violations.add(
          `${method} ${path} answered 500, request ${response.headers.get('X-Request-Id')}`,
        );
      }
      return response;
    } catch (error) {
      const vanished = vanishAfterMs !== undefined && Date.now() - startedAt >= vanishAfterMs - 5;
      journal.count(vanished ? 'client vanished' : 'no response');
      // Only a killed worker may leave a request without a response.
      const killed = member.upSinceMs > startedAt - staleMs || member.kills.length > killsBefore;
      if (!vanished && !killed) {
        const ms = Date.now() - startedAt;
        journal.violations.add(`${method} ${path} had no response in ${ms} ms: ${(error as Error).name}`);
      }
      return undefined;
    }
  };
}
