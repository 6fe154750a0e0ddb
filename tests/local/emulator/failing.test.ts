import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { APIError } from 'openai';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { type RefusalReason, refusals } from '../../../local/emulator/refusals.ts';
import {
  type Control,
  collect,
  drain,
  idOf,
  type Summary,
  start,
  startStream,
  streamRun,
  until,
} from '../../support/emulator.ts';

const create = { method: 'POST', path: '/v1/responses', exact: true };
const resume = { method: 'GET', path: '/v1/responses/*' };

const order = (control: Control, match: object, fault: object, times: number | null = 1) =>
  control('POST', 'faults', { match, fault, times });

describe('a create that is refused', () => {
  test.each(Object.keys(refusals) as RefusalReason[])(
    'for %s has the real shape and starts nothing',
    async (reason) => {
      const { client, control } = await start();
      await order(control, create, { kind: 'refuse', reason });
      const { status, error } = refusals[reason];
      const refused = await streamRun(client).catch((caught) => caught);
      expect(refused).toBeInstanceOf(APIError);
      expect(refused).toMatchObject({ status, code: error.code, type: error.type, error });
      expect(refused.headers.has('retry-after')).toBe(reason === 'rate_limit_exceeded');
      expect(await control('GET', 'responses')).toEqual([]);
      await collect((await streamRun(client)).stream);
    },
  );

  test('for an unknown reason cannot be ordered', async () => {
    const { control } = await start();
    await expect(order(control, create, { kind: 'refuse', reason: 'toString' })).rejects.toThrow('400');
  });

  test.each(['nested', 'flat'])('in its stream has an error event (%s) and nothing else', async (shape) => {
    const { client, control } = await start();
    await order(control, create, { kind: 'error_event', code: 'rate_limit_exceeded', shape });
    const { events, error } = await drain((await streamRun(client)).stream);
    expect(events).toEqual([]);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: 'rate_limit_exceeded', message: expect.any(String) });
    expect(await control('GET', 'responses')).toEqual([]);
  });
});

describe('a failed response', () => {
  test.each(['server_error', 'rate_limit_exceeded', 'vector_store_timeout', 'insufficient_quota'])(
    'tells of %s by an error event before the last one, when ordered',
    async (code) => {
      const { client, control } = await start();
      const failed = { status: 'failed', code, message: 'Broken.' };
      await control('POST', 'outcomes', { outcome: { ...failed, errorEvent: 'nested' } });
      const { events, error } = await drain(await startStream(client));
      expect(events.map(({ type }) => type)).toEqual([
        'response.created',
        'response.queued',
        'response.in_progress',
      ]);
      expect(error).toMatchObject({ code, error: { type: code, code, message: 'Broken.', param: null } });
      const id = idOf(events[0]);
      expect(await client.responses.retrieve(id)).toMatchObject({
        status: 'failed',
        error: { code, message: 'Broken.' },
      });
      const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: 3 }));
      expect(rest).toMatchObject([
        { type: 'response.failed', sequence_number: 4, response: { error: { code } } },
      ]);
    },
  );

  test('can have its error event in the documented shape', async () => {
    const { client, control } = await start();
    await control('POST', 'outcomes', {
      outcome: { status: 'failed', code: 'server_error', errorEvent: 'flat' },
    });
    const { error } = await drain(await startStream(client));
    expect(error).toMatchObject({ error: { type: 'error', code: 'server_error', sequence_number: 3 } });
  });
});

describe('a stream', () => {
  const read = async (fault: object) => {
    const started = await start({ runMs: 100 });
    await order(started.control, create, { kind: 'stream', ...fault });
    const { stream } = await streamRun(started.client);
    return { ...started, stream };
  };

  /** What is missing after the events, taken up again. */
  const rest = async ({ client }: Awaited<ReturnType<typeof read>>, events: ResponseStreamEvent[]) => {
    const starting_after = events.at(-1)?.sequence_number ?? -1;
    return collect(await client.responses.retrieve(idOf(events[0]), { stream: true, starting_after }));
  };

  test('is cut after as many events as ordered, and can be taken up again', async () => {
    const started = await read({ afterEvents: 5 });
    const { events, error } = await drain(started.stream);
    expect(events).toHaveLength(5);
    expect(error).not.toBeNull();
    const all = [...events, ...(await rest(started, events))];
    expect(all.at(-1)?.type).toBe('response.completed');
    expect(all.map((event) => event.sequence_number)).toEqual(all.map((_, index) => index));
  });

  test('is cut in the middle of an event', async () => {
    const { emulator, control } = await start();
    await order(control, create, { kind: 'stream', afterEvents: 3, extraBytes: 20 });
    const response = await fetch(`${emulator.url}/responses`, {
      method: 'POST',
      headers: { authorization: 'Bearer test' },
      body: JSON.stringify({ model: 'm', input: 'Hi', background: true, stream: true }),
    });
    let text = '';
    const reading = (async () => {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk;
    })();
    await expect(reading).rejects.toThrow();
    const blocks = text.split('\n\n');
    expect(blocks).toHaveLength(4);
    expect(blocks[3]).toHaveLength(20);
  });

  test('can be cut by bytes alone', async () => {
    const { events, error } = await drain((await read({ afterEvents: 0, extraBytes: 100 })).stream);
    expect(events).toEqual([]);
    expect(error).not.toBeNull();
  });

  test('ends properly without its last event', async () => {
    const { events, error } = await drain((await read({ afterEvents: 6, how: 'end' })).stream);
    expect(error).toBeNull();
    expect(events).toHaveLength(6);
  });

  test.each([1, 5])('falls silent after %i events though the connection is open', async (afterEvents) => {
    const started = await read({ afterEvents, how: 'stall' });
    const seen: ResponseStreamEvent[] = [];
    const reading = (async () => {
      for await (const event of started.stream) seen.push(event);
    })();
    await until(async () => seen.length === afterEvents);
    const id = idOf(seen[0]);
    await until(async () => (await started.client.responses.retrieve(id)).status === 'completed');
    expect(seen).toHaveLength(afterEvents);
    expect(await started.control('GET', 'streams')).toEqual({ open: 1 });
    started.stream.controller.abort();
    await reading;
    await until(async () => (await started.control<{ open: number }>('GET', 'streams')).open === 0);
  });

  test('begins later than its headers', async () => {
    const started = await read({ firstEventMs: 60_000 });
    // The client has the response's headers, or there would be no stream.
    const [{ status } = { status: '' }] = await started.control<Summary[]>('GET', 'responses');
    expect(status).toMatch(/in_progress|completed/);
    let isRead = false;
    const reading = started.stream[Symbol.asyncIterator]()
      .next()
      .then(({ done }) => {
        isRead = done !== true;
      });
    await until(
      async () => (await started.control<Summary[]>('GET', 'responses'))[0]?.status === 'completed',
    );
    expect(isRead).toBe(false);
    started.stream.controller.abort();
    await reading;
    const later = await read({ firstEventMs: 50 });
    expect((await drain(later.stream)).events.at(-1)?.type).toBe('response.completed');
  });

  test('that is taken up again repeats once what was seen', async () => {
    const { client, control } = await start();
    const events = await collect(await startStream(client));
    await order(control, resume, { kind: 'stream', repeat: true });
    const again = { stream: true, starting_after: events.length - 2 } as const;
    // Only streams are hit.
    await client.responses.retrieve(idOf(events[0]));
    expect(await collect(await client.responses.retrieve(idOf(events[0]), again))).toEqual(events);
    expect(await collect(await client.responses.retrieve(idOf(events[0]), again))).toEqual(events.slice(-1));
  });

  test('can be refused though the response is fine', async () => {
    const { client, control } = await start();
    const events = await collect(await startStream(client));
    await order(control, { ...resume, stream: true }, { kind: 'status', status: 400 }, null);
    const id = idOf(events[0]);
    await expect(client.responses.retrieve(id, { stream: true })).rejects.toMatchObject({ status: 400 });
    expect((await client.responses.retrieve(id)).status).toBe('completed');
    await expect(client.responses.retrieve(id, { stream: true })).rejects.toMatchObject({ status: 400 });
  });

  test('is cut each time when ordered for always', async () => {
    const { client, control } = await start();
    const events = await collect(await startStream(client));
    await order(control, resume, { kind: 'stream', afterEvents: 2 }, null);
    for (const starting_after of [0, 2]) {
      const stream = await client.responses.retrieve(idOf(events[0]), { stream: true, starting_after });
      const { events: part, error } = await drain(stream);
      expect(part).toEqual(events.slice(starting_after + 1, starting_after + 3));
      expect(error).not.toBeNull();
    }
  });

  test('that is left by a cut while it is queued strands its response', async () => {
    const { client, control } = await start({ queueMs: 150 });
    await order(control, create, { kind: 'stream', afterEvents: 1 });
    const { events } = await drain((await streamRun(client)).stream);
    await scheduler.wait(200);
    expect((await client.responses.retrieve(idOf(events[0]))).status).toBe('queued');
  });
});
