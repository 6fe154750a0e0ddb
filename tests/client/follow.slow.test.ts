import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import {
  type Client,
  ConnectionError,
  type FollowOptions,
  type RunEvent,
  RunFailedError,
  TimeoutError,
} from '../../client/src/index.ts';
import { replies } from '../support/engine.ts';
import { aCall, answersTo } from '../support/toolRounds.ts';
import { type Exchange, useClient } from '../support/useClient.ts';
import { useService } from '../support/useService.ts';

const t = useService();
const c = useClient(t);

const message = 'Explain the database schema';

type Ids = readonly [threadId: string, runId: string];

/** Starts a run that takes long enough to be followed before it ends, on a busy machine too. */
async function start(client: Client, runMs = 1_000): Promise<Ids> {
  await t.engine.timing({ queueMs: 0, runMs });
  const { threadId, run } = await client.threads.create({ message });
  c.requests.length = 0;
  return [threadId, run.runId];
}

async function collect(client: Client, ids: Ids, options?: FollowOptions): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of client.runs.follow(...ids, options)) events.push(event);
  return events;
}

const textOf = (events: readonly RunEvent[]): string =>
  events.map((event) => (event.event === 'message.delta' ? event.data.delta : '')).join('');

const statusesOf = (events: readonly RunEvent[]): string[] =>
  events.flatMap((event) => (event.event === 'run' ? [event.data.status] : []));

/** Messages and steps, each with what happened to it. Text may be split differently, and early stages missed. */
const marksOf = (events: readonly RunEvent[]): string[] =>
  events.flatMap((event) => {
    if (event.event === 'step') return [`${event.data.change} ${event.data.step.stepId}`];
    return event.event === 'message.start' || event.event === 'message.end'
      ? [`${event.event} ${event.data.messageId}`]
      : [];
  });

/** Expects each stage once, and the run to complete. */
function expectStages(events: readonly RunEvent[]): void {
  const statuses = statusesOf(events);
  const all = ['queued', 'in_progress', 'completed'];
  expect(statuses).toEqual(all.filter((status) => statuses.includes(status)));
  expect(statuses.at(-1)).toBe('completed');
}

const replyOf = async (client: Client, [threadId]: Ids): Promise<string | undefined> =>
  (await client.threads.get(threadId, { order: 'desc', limit: 1 })).messages[0]?.content;

const isEvents = ({ path }: Exchange) => path.endsWith('/events');

/** Passes on what a function makes of a stream of events, block by block; then cuts the connection. */
const alter =
  (change: (blocks: AsyncIterable<string>) => AsyncIterable<string>) =>
  async ({ forward, response, cut }: Exchange) => {
    const received = await forward();
    response.writeHead(received.status, [...received.headers].flat());
    for await (const text of change(blocksOf(received))) response.write(text);
    // After what has been written has left.
    setImmediate(cut);
  };

async function* blocksOf(received: Response): AsyncGenerator<string> {
  let rest = '';
  for await (const text of received.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) yield `${block}\n\n`;
  }
}

const unlessEvents = (handler: (exchange: Exchange) => unknown) => (exchange: Exchange) =>
  isEvents(exchange) ? handler(exchange) : exchange.pass();

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (resolved) => ({ resolved }),
    (error: unknown) => error,
  );

describe('following a run', () => {
  test('yields its events up to its end, which is returned too', async () => {
    const client = await c.connect();
    const ids = await start(client);
    const events: RunEvent[] = [];
    const follow = client.runs.follow(...ids);
    let next = await follow.next();
    for (; !next.done; next = await follow.next()) events.push(next.value);
    expectStages(events);
    expect(events.at(-1)).toEqual({ event: 'run', id: 'end', data: next.value });
    expect(next.value).toMatchObject({ runId: ids[1], status: 'completed' });
    expect(textOf(events)).toBe(await replyOf(client, ids));
    expect(await collect(client, ids)).toEqual([events.at(-1)]);
    expect(await collect(client, ids, { lastEventId: 'end' })).toEqual([]);
    const middle = events.length >> 1;
    const later = await collect(client, ids, { lastEventId: events[middle]?.id });
    expect(textOf(events.slice(0, middle + 1)) + textOf(later)).toBe(textOf(events));
  });

  test('loses and repeats nothing when the stream is cut after and within each event', async () => {
    const client = await c.connect();
    const ids = await start(client);
    const whole = collect(client, ids);
    // The other follow is served first.
    while (c.requests.length === 0) await sleep(5);
    let cuts = 0;
    c.all(
      unlessEvents(
        alter(async function* (blocks) {
          let passed = 0;
          for await (const block of blocks) {
            if (block.startsWith(':')) continue;
            // Within the next event: now early, now late in it.
            const isLast = passed === 1 + (cuts % 4);
            yield isLast ? block.slice(0, (cuts * 7) % block.length) : block;
            if (isLast) break;
            passed += 1;
          }
          cuts += 1;
        }),
      ),
    );
    const cut = await collect(client, ids);
    expect(cuts).toBeGreaterThan(10);
    expect(marksOf(cut)).toEqual(marksOf(await whole));
    expectStages(cut);
    expect(textOf(cut)).toBe(await replyOf(client, ids));
    expect(new Set(cut.map(({ id, event }) => `${id} ${event}`)).size).toBe(cut.length);
  });

  test('yields each event once when they are repeated', async () => {
    const client = await c.connect();
    const ids = await start(client);
    const sent: string[] = [];
    let streams = 0;
    c.all(
      unlessEvents((exchange) => {
        streams += 1;
        return alter(async function* (blocks) {
          // As if the service had not been told what the client has.
          yield* sent;
          let passed = 0;
          for await (const block of blocks) {
            sent.push(block);
            yield block;
            if (++passed === 12) break;
          }
        })(exchange);
      }),
    );
    const events = await collect(client, ids);
    expect(streams).toBeGreaterThan(3);
    expect(textOf(events)).toBe(await replyOf(client, ids));
    expectStages(events);
  });

  test('goes on while the service is away, is busy, or responds with a broken event', async () => {
    const client = await c.connect({ timing: { retryMs: 20 } });
    const ids = await start(client);
    c.next(
      ({ refuse }) => refuse(503),
      ({ refuse }) => refuse(429, { 'Retry-After': '0' }),
      alter(async function* (blocks) {
        for await (const block of blocks) {
          yield block;
          if (!block.startsWith(':')) break;
        }
        yield 'id: 999\nevent: run\ndata: {"status":\n\n';
      }),
      async ({ cut }) => {
        await c.server.away();
        cut();
        setTimeout(() => void c.server.back(), 50);
      },
    );
    const events = await collect(client, ids);
    expectStages(events);
    expect(textOf(events)).toBe(await replyOf(client, ids));
  });

  test('gives up when the service stays away, and at once when it refuses', async () => {
    const client = await c.connect();
    const ids = await start(client, 0);
    c.all(({ cut }) => cut());
    expect(await rejection(collect(client, ids))).toBeInstanceOf(ConnectionError);
    expect(c.requests).toHaveLength(8);
    c.all(({ pass }) => pass());
    expect(await rejection(collect(client, [ids[0], 'run_1']))).toMatchObject({ code: 'run_not_found' });
    expect(c.requests).toHaveLength(9);
  });

  test('goes on after the outputs that a waiting run asks for', async () => {
    const client = await c.connect();
    await t.engine.outcome(aCall);
    const ids = await start(client, 0);
    const events: RunEvent[] = [];
    for await (const event of client.runs.follow(...ids)) {
      events.push(event);
      if (event.event !== 'run' || !event.data.requiredAction) continue;
      await client.runs.submitToolOutputs(...ids, answersTo(event.data.requiredAction));
    }
    expect(statusesOf(events)).toEqual(expect.arrayContaining(['requires_action', 'completed']));
    expect(c.requests.filter((request) => request.endsWith('/events'))).toHaveLength(1);
  });

  test('asks for a new token when the old one no longer serves', async () => {
    let calls = 0;
    const token = () => {
      calls += 1;
      return t.issuer.sign({ projects: [t.projectId] });
    };
    const client = await c.connect({ token });
    const ids = await start(client);
    c.next(
      alter(async function* (blocks) {
        for await (const block of blocks) {
          yield block;
          if (block.includes('delta')) return;
        }
      }),
      ({ refuse }) => refuse(401),
    );
    const events = await collect(client, ids);
    expect(calls).toBe(2);
    expect(textOf(events)).toBe(await replyOf(client, ids));
    expectStages(events);
  });
});

describe('where streams do not pass', () => {
  /** Holds a response back until it is complete. */
  const hold = async ({ forward, response }: Exchange) => {
    const received = await forward();
    const text = await received.text();
    response.writeHead(received.status, [...received.headers].flat()).end(text);
  };

  test.each<[string, (exchange: Exchange) => unknown]>([
    ['a proxy holds responses back', hold],
    [
      'a proxy passes on the head of a response only',
      async ({ forward, response }) => {
        const received = await forward();
        response.writeHead(received.status, [...received.headers].flat());
        response.flushHeaders();
        response.end(await received.text());
      },
    ],
    ['a proxy responds with a page', ({ refuse }) => refuse(200, { 'Content-Type': 'text/html' }, 'Hello')],
    [
      'a proxy ends them at once',
      ({ refuse }) => refuse(200, { 'Content-Type': 'text/event-stream' }, ': connected\n\n'),
    ],
  ])('waits for the run: %s', async (_, handler) => {
    const client = await c.connect({ timing: { firstByteMs: 30 } });
    const ids = await start(client, 400);
    c.all(unlessEvents(handler));
    const events = await collect(client, ids);
    expect(statusesOf(events).at(-1)).toBe('completed');
    expect(new Set(statusesOf(events)).size).toBe(events.length);
    expect(events.every(({ id }) => id === undefined)).toBe(true);
    const waits = c.requests.filter((request) => request.includes('?wait='));
    expect(waits.length).toBeGreaterThan(0);
    expect(c.requests.filter((request) => !/\/events$|\?wait=50$/.test(request))).toEqual([]);
  });

  test('waits sooner the next time, until a stream passes', async () => {
    // Longer than a test may last.
    const client = await c.connect({ timing: { firstByteMs: 600_000 } });
    const ids = await start(client, 0);
    await client.runs.finished(...ids);
    c.next(({ refuse }) => refuse(200));
    expect(statusesOf(await collect(client, ids))).toEqual(['completed']);
    c.next(() => undefined);
    expect(statusesOf(await collect(client, ids))).toEqual(['completed']);
    expect(await collect(client, ids)).toEqual([expect.objectContaining({ id: 'end' })]);
  });

  test('follows by a stream again after a wait without a change, and misses no text', async () => {
    const client = await c.connect();
    await t.engine.outcome(replies.messages(...Array.from({ length: 100 }, (_, part) => `part ${part}`)));
    const ids = await start(client, 30_000);
    let streamsToRefuse = 0;
    c.all(async ({ path, pass, refuse }) => {
      // Not merely the next request: one of the call that was given up may still be under way.
      if (path.endsWith('/events') && streamsToRefuse-- > 0) return refuse(200);
      // As after the whole time of a wait.
      if (!path.includes('?wait=')) return pass();
      const run = await client.runs.get(...ids);
      refuse(200, { 'Content-Type': 'application/json' }, JSON.stringify(run));
    });
    expect(await rejection(client.runs.finished(...ids, { timeoutMs: 100 }))).toBeInstanceOf(TimeoutError);
    expect(c.requests.filter((request) => request.endsWith('/events'))).toEqual([]);
    streamsToRefuse = 1;
    let text = '';
    for await (const event of client.runs.follow(...ids)) {
      if (event.event !== 'message.delta') continue;
      if (text === '') await client.runs.cancel(...ids);
      text += event.data.delta;
    }
    expect(text).toMatch(/^part/);
    expect(c.requests.filter((request) => request.endsWith('/events')).length).toBeGreaterThan(1);
  });

  test('polls where not even waiting passes', async () => {
    const client = await c.connect({ timing: { firstByteMs: 30 } });
    const ids = await start(client, 400);
    c.all(({ path, refuse, pass, cut }) =>
      path.endsWith('/events') ? refuse(200) : path.includes('?wait=') ? cut() : pass(),
    );
    const events = await collect(client, ids);
    expect(statusesOf(events).at(-1)).toBe('completed');
    const [opening, wait, ...polls] = c.requests;
    expect([opening, wait]).toEqual([expect.stringMatching(/events$/), expect.stringMatching(/wait=50$/)]);
    expect(polls.length).toBeGreaterThan(1);
    expect(new Set(polls).size).toBe(1);
  });

  test('goes on after the outputs of a waiting run', async () => {
    const client = await c.connect({ timing: { firstByteMs: 30 } });
    await t.engine.outcome(aCall, 2);
    const ids = await start(client, 0);
    c.all(unlessEvents(({ refuse }) => refuse(200)));
    const events: RunEvent[] = [];
    for await (const event of client.runs.follow(...ids)) {
      events.push(event);
      if (event.event !== 'run' || !event.data.requiredAction) continue;
      await client.runs.submitToolOutputs(...ids, answersTo(event.data.requiredAction));
    }
    expect(statusesOf(events).filter((status) => status === 'requires_action')).toHaveLength(2);
    expect(statusesOf(events).at(-1)).toBe('completed');
  });

  test('reopens a stream that has become silent', async () => {
    const client = await c.connect({ timing: { silenceMs: 60 } });
    const ids = await start(client);
    c.next(async ({ forward, response }) => {
      const received = await forward();
      response.writeHead(received.status, [...received.headers].flat());
      for await (const block of blocksOf(received)) {
        response.write(block);
        if (block.startsWith('id')) return;
      }
    });
    const events = await collect(client, ids);
    expect(c.requests.length).toBeGreaterThan(1);
    expect(textOf(events)).toBe(await replyOf(client, ids));
  });
});

describe('waiting for a run', () => {
  test('resolves with a run that ended in any way, or waits for outputs', async () => {
    const client = await c.connect();
    await t.engine.outcome({ status: 'failed', code: 'server_error' });
    const failed = await start(client);
    expect(await client.runs.finished(...failed)).toMatchObject({ status: 'failed' });
    const error = await rejection(client.runs.completed(...failed));
    expect(error).toBeInstanceOf(RunFailedError);
    expect(error).toMatchObject({ message: 'The run is failed: engine_error', run: { runId: failed[1] } });
    await t.engine.outcome(replies.functionCall('get_order', { orderId: 'A-17' }));
    const waiting = await start(client);
    expect(await client.runs.finished(...waiting)).toMatchObject({ status: 'requires_action' });
    expect(await rejection(client.runs.completed(...waiting))).toBeInstanceOf(RunFailedError);
  });

  test('ends when its time is up, and leaves the run alone', async () => {
    const client = await c.connect();
    await t.engine.outcome({ status: 'never' });
    const ids = await start(client);
    const error = await rejection(client.runs.finished(...ids, { timeoutMs: 50 }));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(await client.runs.get(...ids)).toMatchObject({ status: 'in_progress' });
    await client.runs.cancel(...ids);
    expect(await client.runs.finished(...ids)).toMatchObject({ status: 'cancelled' });
  });
});

describe('a signal', () => {
  const reason = new Error('left the page');

  test.each<[string, (leave: () => void) => (exchange: Exchange) => unknown]>([
    ['while the stream is opened', (leave) => leave],
    [
      'before the first byte',
      (leave) =>
        async ({ response, forward }) => {
          const received = await forward();
          response.writeHead(received.status, [...received.headers].flat());
          response.flushHeaders();
          setTimeout(leave, 20);
        },
    ],
    [
      'while the stream is silent',
      (leave) =>
        async ({ pass }) => {
          setTimeout(leave, 100);
          await pass();
        },
    ],
    [
      'in a pause before the next attempt',
      (leave) =>
        ({ cut }) => {
          cut();
          setTimeout(leave, 50);
        },
    ],
    [
      'while it waits',
      (leave) =>
        ({ refuse }) => {
          c.next(leave);
          refuse(200);
        },
    ],
    [
      'while it polls',
      (leave) =>
        ({ refuse }) => {
          c.next(
            ({ refuse: refuseWait }) => refuseWait(504),
            async ({ pass }) => {
              await pass();
              setTimeout(leave, 20);
            },
          );
          refuse(200);
        },
    ],
  ])('ends a follow %s, and not the run', async (_, fault) => {
    const slow = { retryMs: 60_000, maxRetryMs: 60_000, pollMs: 60_000 };
    const client = await c.connect({ timing: _.includes('polls') ? { ...slow, retryMs: 1 } : slow });
    await t.engine.outcome({ status: 'never' });
    const ids = await start(client);
    const left = new AbortController();
    c.next(fault(() => left.abort(reason)));
    expect(await rejection(collect(client, ids, { signal: left.signal }))).toBe(reason);
    const { length } = c.requests;
    await sleep(20);
    expect(c.requests).toHaveLength(length);
    expect(await client.runs.get(...ids)).toMatchObject({ completedAt: null });
    await client.runs.cancel(...ids);
  });

  test('ends a follow between two events, and leaving the loop closes the stream', async () => {
    const client = await c.connect();
    const ids = await start(client, 2_000);
    const left = new AbortController();
    const events: RunEvent[] = [];
    const followed = rejection(
      (async () => {
        for await (const event of client.runs.follow(...ids, { signal: left.signal })) {
          events.push(event);
          left.abort(reason);
        }
      })(),
    );
    expect(await followed).toBe(reason);
    expect(events).toHaveLength(1);
    for await (const _ of client.runs.follow(...ids)) break;
    await t.idle();
    expect(await client.runs.get(...ids)).toMatchObject({ completedAt: null });
    await client.runs.cancel(...ids);
  });
});
