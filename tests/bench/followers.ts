import { scheduler } from 'node:timers/promises';
import type { Client } from './client.ts';

/** How a client was notified of a run's end. */
export interface Followed {
  /** Time of the notification, in Unix milliseconds. */
  readonly knownAtMs: number;
  /** Number of requests, without the create. */
  readonly calls: number;
}

/** Follows a run to its end. @throws {Error} unless it completes. */
export type Follow = (client: Client, runPath: string) => Promise<Followed>;

/** Polls as in the documented examples: immediately, then every two seconds. */
export const poll: Follow = (client, path) => look(client, path, 2_000);

/** Long-polls with `?wait=` until the run has ended. */
export const wait: Follow = (client, path) => look(client, `${path}?wait=60`, 0);

async function look(client: Client, path: string, pauseMs: number): Promise<Followed> {
  for (let calls = 1; ; calls++) {
    const { text } = await client.call('GET', path, 200);
    if (isCompleted(JSON.parse(text))) return { knownAtMs: Date.now(), calls };
    if (pauseMs > 0) await scheduler.wait(pauseMs);
  }
}

/** Streams events until the run's end. */
export const listen: Follow = async (client, path) => {
  const stream = await client.open(`${path}/events`);
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const events = (rest + chunk).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = /^event: run\ndata: (.*)$/m.exec(event)?.[1];
      if (data && isCompleted(JSON.parse(data))) {
        const knownAtMs = Date.now();
        stream.resume();
        return { knownAtMs, calls: 1 };
      }
    }
  }
  throw new Error('the events ended before the run');
};

function isCompleted({ runId, status }: { runId: string; status: string }): boolean {
  if (status === 'queued' || status === 'in_progress') return false;
  if (status === 'completed') return true;
  throw new Error(`${runId} ended as ${status}`);
}
