import { once } from 'node:events';
import { scheduler } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { HostStatus } from '../../../local/host/host.ts';
import { createTestApps, streaming } from '../../support/app.ts';
import type { TestProcess } from '../../support/process.ts';
import { exchange, openSocket, requestText } from '../../support/raw.ts';
import { until } from '../../support/until.ts';

/* What handlers owe to connections: responses that end, clients that do not read, bodies, and nothing left behind. */

const apps = createTestApps();
afterAll(() => apps.close());

const functions = `
  const { eventStreamResponse } = shared('http/eventStream.ts');
  const { findRequest } = shared('http/proxyRequest.ts');
  const { readBody } = shared('http/readBody.ts');
  const { scheduler } = require('node:timers/promises');
  const v8 = require('node:v8');
  v8.setFlagsFromString('--expose-gc');
  const gc = require('node:vm').runInNewContext('gc');

  let produced = 0;
  let working = 0;
  async function* events(signal, size, pauseMs) {
    working++;
    try {
      for (;;) {
        if (pauseMs > 0) await scheduler.wait(pauseMs, { signal });
        produced++;
        yield { id: String(produced), event: 'tick', data: 'x'.repeat(size) };
      }
    } finally {
      working--;
    }
  }
  app.http('events', { handler: (request, { invocationId }) => {
    const value = (name, absent) => Number(request.query.get(name) ?? absent);
    return eventStreamResponse(findRequest(invocationId), value('ms', 60000), (signal) =>
      events(signal, value('size', 1000), value('pause', 0)));
  } });
  app.http('fails', { handler: (request, { invocationId }) =>
    eventStreamResponse(findRequest(invocationId), 60000, async function* () {
      yield { id: '1', event: 'tick', data: 1 };
      throw new Error('secret');
    }) });
  app.http('large', { handler: () => ({ body: 'x'.repeat(50_000_000) }) });
  app.http('ignores', { methods: ['POST'], handler: () => ({ status: 202 }) });
  app.http('throws', { handler: () => { throw new Error('secret'); } });
  app.http('noStatus', { handler: () => ({ status: 700, body: 'secret' }) });
  app.http('body', { methods: ['POST'], handler: async (request, { invocationId }) => {
    const { incoming, headers } = findRequest(invocationId);
    try {
      return { body: String((await readBody(incoming, headers.get('Content-Length'))).length) };
    } catch (error) {
      return { status: 418, body: error.code };
    }
  } });
  app.http('state', { handler: () => {
    gc();
    return { jsonBody: { produced, working, heap: process.memoryUsage().heapUsed } };
  } });`;

interface State {
  readonly produced: number;
  /** Event sources at work. */
  readonly working: number;
  readonly heap: number;
}

let host: TestProcess;
/** What takes half a minute each: on a host of its own, beside the other tests. */
let slow: { readonly reader: Promise<number>; readonly body: Promise<string> };
beforeAll(async () => {
  const serve = () => apps.serve(functions + streaming, { hostArguments: ['--old-host'] });
  const [fast, { url }] = await Promise.all([serve(), serve()]);
  host = fast;
  slow = { reader: readSlowly(url), body: sendSlowly(url) };
}, 120_000);
beforeEach(() => until('nothing is left of the test before', isIdle));

const status = async () => (await (await fetch(`${host.url}/admin/host/status`)).json()) as HostStatus;
const state = async () => (await (await fetch(`${host.url}/api/state`)).json()) as State;
const isIdle = async () => (await status()).openInvocations === 0 && (await state()).working === 0;

describe('a stream of events', () => {
  test('ends when its time is up, in the middle of silence', async () => {
    const response = await fetch(`${host.url}/api/events?ms=300&pause=60000`);
    expect(await response.text()).toBe(': connected\n\n');
    await until('its work ends', isIdle);
  });

  test('ends when its time is up, in the middle of events', async () => {
    const text = await (await fetch(`${host.url}/api/events?ms=300&pause=20`)).text();
    expect(text.endsWith('\n\n')).toBe(true);
    expect(text.match(/^event: tick$/gm)?.length).toBeGreaterThan(1);
    await until('its work ends', isIdle);
  });

  test('ends when its events fail', async () => {
    const text = await (await fetch(`${host.url}/api/fails`)).text();
    expect(text).toBe(': connected\n\nid: 1\nevent: tick\ndata: 1\n\n');
  });

  test.each([
    ['silence', '?pause=60000'],
    ['events', '?pause=5'],
    ['events that it does not read', ''],
  ])('ends with its work when the client disconnects in the middle of %s', async (_name, query) => {
    const socket = await openSocket(host.url, requestText('GET', `/api/events${query}`));
    await until('it begins', async () => (await state()).working === 1);
    socket.destroy();
    await until('its work ends', isIdle);
  });

  test('waits for a client that does not read, and goes on when it reads again', async () => {
    const before = (await state()).produced;
    const socket = await openSocket(host.url, requestText('GET', '/api/events?size=10000'));
    socket.pause();
    let last = before;
    await until('it stops to produce', async () => {
      const { produced } = await state();
      const stopped = produced > before && produced === last;
      last = produced;
      await scheduler.wait(200);
      return stopped;
    });
    // What is under way is in the buffers of the system and of two sockets.
    expect((last - before) * 10_000).toBeLessThan(20_000_000);
    socket.resume();
    await until('it goes on', async () => (await state()).produced > last);
    socket.destroy();
  });

  test('takes no memory for clients that do not read', async () => {
    const before = (await state()).heap;
    const sockets = await Promise.all(
      Array.from({ length: 20 }, () => openSocket(host.url, requestText('GET', '/api/events?size=100000'))),
    );
    for (const socket of sockets) socket.pause();
    await scheduler.wait(3_000);
    expect((await state()).heap - before).toBeLessThan(30_000_000);
    for (const socket of sockets) socket.destroy();
  });

  test('leaves nothing of a thousand clients that vanish', async () => {
    const vanish = async () => {
      const socket = await openSocket(host.url, requestText('GET', '/api/events?pause=20'));
      await scheduler.wait(Math.random() * 50);
      socket.destroy();
    };
    const vanishMany = async (count: number) => {
      for (let done = 0; done < count; done += 50) await Promise.all(Array.from({ length: 50 }, vanish));
      await until('nothing is left', isIdle);
      return (await state()).heap;
    };
    const before = await vanishMany(200);
    expect((await vanishMany(1_000)) - before).toBeLessThan(1_000_000);
  }, 60_000);
});

describe('a request without an invocation', () => {
  test('is refused at once when its invocation id is impossible, and the worker goes on', async () => {
    const canary = 'canary-'.repeat(5);
    for (const id of ['error', 'newListener', '__proto__', 'constructor', canary]) {
      const headers = { 'x-ms-invocation-id': id };
      const response = await exchange(host.url, requestText('GET', '/api/state', headers));
      expect([response.status, response.body]).toEqual([400, expect.stringContaining('x-ms-invocation-id')]);
      expect(response.body).not.toContain(id === canary ? canary : '"error"');
    }
    expect((await status()).workerStarts).toBe(1);
    expect(host.output()).not.toContain(canary);
  });

  test('is answered after five seconds when nothing claims it, and so is its invocation', async () => {
    const id = '123e4567-e89b-12d3-a456-426614174000';
    const response = await exchange(host.url, requestText('GET', '/api/state', { 'x-ms-invocation-id': id }));
    expect(response.status).toBe(503);
    expect(response.body).toContain(`{"message":"The request could not be processed","code":"unavailable"`);
    expect(response.head).toMatch(/retry-after: 5/i);
  }, 30_000);

  test('leaves nothing behind', async () => {
    const send = (id: string) =>
      exchange(host.url, requestText('GET', '/api/state', { 'x-ms-invocation-id': id }));
    const sendMany = async (count: number) => {
      const ids = Array.from({ length: count }, (_, index) => (index % 2 ? crypto.randomUUID() : 'error'));
      for (const { status } of await Promise.all(ids.map(send))) expect([400, 503]).toContain(status);
      await until('nothing is left', isIdle);
      return (await state()).heap;
    };
    const before = await sendMany(500);
    expect((await sendMany(1_000)) - before).toBeLessThan(500_000);
  }, 90_000);
});

describe('a request whose function cannot answer', () => {
  test('gets 500 when the function throws, and the log nothing of the reason', async () => {
    const response = await exchange(host.url, requestText('GET', '/api/throws'));
    expect([response.status, response.body]).toEqual([500, expect.stringContaining('internal_error')]);
    expect(host.output()).not.toContain('secret');
  });

  test('is closed when its response cannot be sent', async () => {
    expect((await exchange(host.url, requestText('GET', '/api/noStatus'))).status).toBe(502);
  });

  test.each([
    ['a query', requestText('GET', '/api/state?Headers={%22canary%20b%22:1}')],
    [
      'a body',
      requestText('POST', '/api/ignores', { 'Content-Length': '28' }, '{"Headers":{"canary b":"c"}}'),
    ],
  ])('is no longer one that brings headers of its own in %s', async (_name, sent) => {
    expect([200, 202]).toContain((await exchange(host.url, sent)).status);
    expect(host.output()).not.toContain('canary');
  });
});

describe('a request body', () => {
  const limit = 2 * 1024 * 1024;
  const post = (path: string, body: Uint8Array | ReadableStream, headers: Record<string, string> = {}) =>
    fetch(`${host.url}/api/${path}`, { method: 'POST', body, headers, duplex: 'half' } as object);
  const chunked = (size: number) =>
    new ReadableStream({
      start(controller) {
        for (let sent = 0; sent < size; sent += 65_536)
          controller.enqueue(new Uint8Array(Math.min(65_536, size - sent)));
        controller.close();
      },
    });

  test.each([0, 1, 70_000, limit])('is read whole at %d bytes, of known length or not', async (size) => {
    expect(await (await post('body', new Uint8Array(size))).text()).toBe(String(size));
    expect(await (await post('body', chunked(size))).text()).toBe(String(size));
  });

  test.each([limit + 1, 5_000_000, 20_000_000])('is refused at %d bytes', async (size) => {
    for (const body of [new Uint8Array(size), chunked(size)]) {
      const response = await post('body', body);
      expect([response.status, await response.text()]).toEqual([418, 'payload_too_large']);
    }
  });

  test('that breaks off ends its invocation', async () => {
    const sent = requestText('POST', '/api/body', { 'Transfer-Encoding': 'chunked' }, '4\r\nhalf\r\n');
    const socket = await openSocket(host.url, sent);
    await until('it is read', async () => (await status()).openInvocations > 0);
    socket.destroy();
    await until('it ends', isIdle);
  });

  test('that nothing reads does not get in the way of the response, and takes no memory', async () => {
    const before = (await state()).heap;
    expect((await post('ignores', chunked(20_000_000))).status).toBe(202);
    expect((await state()).heap - before).toBeLessThan(5_000_000);
  });

  test('is refused when it comes too slowly, and its connection does not stay', async () => {
    // The host passes on no response before it has the whole body, so it is the host that answers.
    expect(await slow.body).toMatch(/^HTTP\/1\.1 502/);
  }, 60_000);
});

test('a client that does not read its response to the end is disconnected', async () => {
  expect(await slow.reader).toBeLessThan(50_000_000);
}, 60_000);

/** Asks for 50 MB, and reads for half a minute none of them; returns how many bytes came until it was disconnected. */
async function readSlowly(url: string): Promise<number> {
  const socket = await openSocket(url, requestText('GET', '/api/large'));
  socket.pause();
  const closed = once(socket, 'close');
  await until('the response is under way', () => socket.bytesRead > 0);
  await scheduler.wait(31_000);
  socket.resume();
  await closed;
  return socket.bytesRead;
}

/** Sends a body without an end; returns what came until the connection was closed. */
async function sendSlowly(url: string): Promise<string> {
  const socket = await openSocket(url, requestText('POST', '/api/body', { 'Transfer-Encoding': 'chunked' }));
  const drip = setInterval(() => socket.write(`64\r\n${'x'.repeat(100)}\r\n`), 200);
  let received = '';
  socket.setEncoding('utf8').on('data', (text) => {
    received += text;
  });
  await once(socket, 'close');
  clearInterval(drip);
  return received;
}
