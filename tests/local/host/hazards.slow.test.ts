import { scheduler } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { HostStatus } from '../../../local/host/host.ts';
import { createTestApps, plainStreaming } from '../../support/app.ts';
import type { TestProcess } from '../../support/process.ts';
import { exchange, openSocket, requestText } from '../../support/raw.ts';
import { until } from '../../support/until.ts';

/* What the real host does to an app that streams without precautions: the local one has to do it too. */

const apps = createTestApps();
afterAll(() => apps.close());

const functions = `
  let calls = 0;
  app.http('plain', { methods: ['GET', 'POST'], handler: () => ({ body: String(++calls) }) });
  app.http('slow', { handler: () => new Promise(() => {}) });
  app.http('throws', { handler: () => { throw new Error('secret'); } });
  app.http('size', { methods: ['POST'], handler: async (request) => {
    let size = 0;
    for await (const chunk of request.body ?? []) size += chunk.length;
    return { body: String(size) };
  } });`;

const status = async (host: TestProcess) =>
  (await (await fetch(`${host.url}/admin/host/status`)).json()) as HostStatus;

/** Whether a request has no response within two seconds. */
async function hangs(host: TestProcess, sent: string): Promise<boolean> {
  const socket = await openSocket(host.url, sent);
  let received = false;
  socket.once('data', () => {
    received = true;
  });
  await scheduler.wait(2_000);
  socket.destroy();
  return !received;
}

describe('the local host, as the real one', () => {
  let host: TestProcess;
  beforeAll(async () => {
    host = await apps.serve(functions + plainStreaming);
  });

  test.each([
    ['a query', requestText('GET', '/api/plain?Headers={%22a%20b%22:%22canary%22}')],
    ['a body', requestText('POST', '/api/plain', { 'Content-Length': '28' }, '{"Headers":{"a b":"canary"}}')],
  ])('lets headers that are none, in %s, hang the request and reach the log', async (_name, sent) => {
    expect(await hangs(host, sent)).toBe(true);
    expect(host.output()).toMatch(/plain threw TypeError: .*a b/);
  });

  test('does not respond for a function that throws', async () => {
    expect(await hangs(host, requestText('GET', '/api/throws'))).toBe(true);
  });

  test.each([
    ['an encoded NUL', requestText('GET', '/api/%00'), 400],
    ['a header beyond ASCII', requestText('GET', '/api/plain', { 'X-Name': 'ä' }), 400],
    ['more than 32 KB of headers', requestText('GET', '/api/plain', { 'X-Big': 'x'.repeat(33_000) }), 431],
    ['a method of no function', requestText('DELETE', '/api/plain'), 404],
    ['no route', requestText('GET', '/api/nothing'), 404],
    [
      'a malformed chunked body',
      requestText('POST', '/api/plain', { 'Transfer-Encoding': 'chunked' }, 'zz\r\n'),
      500,
    ],
  ])('refuses %s with an empty body and without CORS', async (_name, sent, expected) => {
    const { status, head, body } = await exchange(host.url, sent);
    expect([status, body.replace(/^0\r\n\r\n$/, '')]).toEqual([expected, '']);
    expect(head.toLowerCase()).not.toContain('access-control');
  });

  test('refuses a body that stalls with 408', async () => {
    const sent = requestText('POST', '/api/size', { 'Content-Length': '1000' }, 'half');
    expect((await exchange(host.url, sent)).status).toBe(408);
  }, 30_000);

  test('passes on a body of unknown length as it comes', async () => {
    const chunk = `4\r\nhalf\r\n`;
    const sent = requestText('POST', '/api/size', { 'Transfer-Encoding': 'chunked' }, chunk);
    const socket = await openSocket(host.url, sent);
    await until('the function begins', async () => (await status(host)).openInvocations > 0);
    socket.destroy();
  });
});

test('a worker with the header limit of Node itself has no response to 16 to 32 KB of headers', async () => {
  const host = await apps.serve(functions + plainStreaming, {
    hostArguments: ['--worker-header-bytes', '16384'],
  });
  const { status: answered } = await exchange(
    host.url,
    requestText('GET', '/api/plain', { 'X-Big': 'x'.repeat(20_000) }),
  );
  expect(answered).not.toBe(200);
  const large = await apps.serve(functions + plainStreaming);
  expect(
    (await exchange(large.url, requestText('GET', '/api/plain', { 'X-Big': 'x'.repeat(20_000) }))).status,
  ).toBe(200);
});

test('an old host passes on the invocation id of a client: it hangs, and "error" crashes the worker, which restarts', async () => {
  const host = await apps.serve(functions + plainStreaming, { hostArguments: ['--old-host'] });
  const plain = requestText('GET', '/api/plain');
  const chosen = (id: string) => requestText('GET', '/api/plain', { 'x-ms-invocation-id': id });
  expect(await hangs(host, chosen('a'))).toBe(true);
  expect((await exchange(host.url, plain)).body).toContain('1');
  expect((await exchange(host.url, chosen('error'))).status).toBe(502);
  await until('the worker restarts', async () => (await status(host)).workerStarts === 2);
  // A fresh worker counts anew.
  expect((await exchange(host.url, plain)).body).toContain('1');

  const current = await apps.serve(functions + plainStreaming);
  expect((await exchange(current.url, chosen('error'))).status).toBe(200);
});

test('an invocation beyond functionTimeout restarts the worker, and breaks the others', async () => {
  const host = await apps.serve(functions + plainStreaming, { host: { functionTimeout: '00:00:02' } });
  const slow = exchange(host.url, requestText('GET', '/api/slow'));
  const innocent = exchange(host.url, requestText('GET', '/api/slow'));
  for (const { status } of await Promise.all([slow, innocent])) expect(status).toBe(502);
  await until('the worker restarts', async () => (await status(host)).workerStarts === 2);
  expect((await exchange(host.url, requestText('GET', '/api/plain'))).status).toBe(200);
});

test('the local host counts the invocations that have not ended', async () => {
  const host = await apps.serve(functions + plainStreaming);
  const sockets = await Promise.all(
    Array.from({ length: 3 }, () => openSocket(host.url, requestText('GET', '/api/slow'))),
  );
  await until('three are open', async () => (await status(host)).openInvocations === 3);
  for (const socket of sockets) socket.destroy();
});

describe('CORS', () => {
  const origin = { Origin: 'https://app.example' };

  test('is answered for every origin when asked for, as Core Tools does', async () => {
    const host = await apps.serve(functions, { hostArguments: ['--cors'] });
    const preflight = await fetch(`${host.url}/api/plain`, {
      method: 'OPTIONS',
      headers: {
        ...origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization,content-type',
      },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization,content-type',
    });
    const called = await fetch(`${host.url}/api/plain`, { headers: origin });
    expect([called.status, called.headers.get('Access-Control-Allow-Origin')]).toEqual([200, '*']);
    const unknown = await fetch(`${host.url}/api/nothing`, { headers: origin });
    expect([unknown.status, unknown.headers.get('Access-Control-Allow-Origin')]).toEqual([404, '*']);
    expect((await fetch(`${host.url}/api/plain`, { method: 'OPTIONS' })).status).toBe(404);
  });
});
