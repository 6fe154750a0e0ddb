import { expect } from '@jest/globals';
import type { TestService } from './service.ts';

export interface Event {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts on whatever came.
  readonly data: any;
}

/** Reads a run's events until they end, or until `enough` returns true. */
export async function readEvents(
  service: TestService,
  run: string,
  { after, enough = () => false }: { after?: string; enough?: (events: Event[]) => boolean } = {},
): Promise<Event[]> {
  const projectId = run.split('/')[1];
  const leave = new AbortController();
  const response = await fetch(`${service.url}/api/${run}/events`, {
    headers: {
      Authorization: `Bearer ${await service.issuer.sign({ projects: [projectId] })}`,
      ...(after !== undefined && { 'Last-Event-ID': after }),
    },
    signal: AbortSignal.any([leave.signal, AbortSignal.timeout(25_000)]),
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8');
  const events: Event[] = [];
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks.filter((entry) => !entry.startsWith(':'))) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s, 2)));
      events.push({ ...fields, data: JSON.parse(fields['data']) } as Event);
      if (enough(events)) {
        leave.abort();
        return events;
      }
    }
  }
  return events;
}

/** Returns the statuses of the `run` events, in order. */
export const statusesOf = (events: readonly Event[]): string[] =>
  events.filter(({ event }) => event === 'run').map(({ data }) => data.status);

/** Joins the text of all `message.delta` events, or of another event type with deltas. */
export const textOf = (events: readonly Event[], name = 'message.delta'): string =>
  events
    .filter(({ event }) => event === name)
    .map(({ data }) => data.delta)
    .join('');
