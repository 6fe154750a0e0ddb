import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { Call } from '../support/service.ts';
import { useService } from '../support/useService.ts';

const t = useService();

/** Waits until the run is finished; returns the responses on the way. */
async function waitToEnd(run: string, call: Call = {}) {
  const responses = [];
  for (;;) {
    const response = await t.call(`${run}?wait=20`, call);
    responses.push(response);
    if (!['queued', 'in_progress'].includes(response.body.status)) return responses;
  }
}

const engineCalls = async () => (await t.engine.calls()).filter((call) => call.includes('/v1/responses'));

describe('waiting for news', () => {
  test('answers on each change of status, at the cost of one stream of the engine for the whole run', async () => {
    await t.engine.timing({ queueMs: 500, runMs: 3_000 });
    const { run } = await t.startRun();
    const responses = await waitToEnd(run);
    expect(responses.map(({ body }) => body.status)).toEqual(['in_progress', 'completed']);
    expect(await engineCalls()).toEqual([
      'POST /v1/responses',
      expect.stringMatching(/^GET \/v1\/responses\//),
    ]);
  });

  test('writes what it learned: the next get asks nobody', async () => {
    await t.engine.timing({ queueMs: 50, runMs: 100 });
    const { run } = await t.startRun();
    const ended = (await waitToEnd(run)).at(-1);
    await t.engine.reset();
    expect((await t.call(run)).body).toEqual(ended?.body);
    expect(await engineCalls()).toEqual([]);
  });

  test('twenty who wait for the same run share one stream and are all told', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 4_000 });
    const { run } = await t.startRun();
    while ((await t.call(run)).body.status !== 'in_progress');
    await t.engine.reset();
    const responses = await Promise.all(Array.from({ length: 20 }, () => t.call(`${run}?wait=20`)));
    expect(new Set(responses.map(({ body }) => body.status))).toEqual(new Set(['completed']));
    expect(new Set(responses.map(({ text }) => text)).size).toBe(1);
    expect(await engineCalls()).toHaveLength(1);
  });

  test('a hundred who wait for the same run cost the store one save of each change', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 3_000 });
    const { run } = await t.startRun();
    t.store.reset();
    const responses = await Promise.all(Array.from({ length: 100 }, () => waitToEnd(run)));
    expect(new Set(responses.map((some) => some.at(-1)?.body.status))).toEqual(new Set(['completed']));
    const writes = t.store.roundTrips.filter((kind) => kind === 'merge' || kind === 'transaction');
    expect(writes).toEqual(['merge', 'transaction']);
  });

  test('answers when the time is up, with the run as it stands', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    while ((await t.call(run)).body.status !== 'in_progress');
    const response = await t.call(`${run}?wait=1`);
    expect([response.status, response.body.status]).toEqual([200, 'in_progress']);
  });

  test('Prefer: wait means the same, and says so', async () => {
    await t.engine.timing({ queueMs: 300, runMs: 300 });
    const { run } = await t.startRun();
    const response = await t.call(run, { headers: { Prefer: 'respond-async, wait=20' } });
    expect(response.body.status).toBe('in_progress');
    expect(response.headers.get('Preference-Applied')).toBe('wait=20');
  });

  test('a finished run is answered at once', async () => {
    const { run } = await t.startRun();
    await t.finish(run);
    await t.engine.reset();
    expect((await t.call(`${run}?wait=60`)).body.status).toBe('completed');
    expect(await engineCalls()).toEqual([]);
  });

  test('ends with the run at its deadline', async () => {
    await t.stop();
    await t.restart({ RUN_TIMEOUT_SECONDS: '3' });
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    const responses = await waitToEnd(run);
    expect(responses.at(-1)?.body.status).toBe('expired');
    await t.stop();
    await t.restart();
  });

  test('goes on with looks, a second apart, when the stream cannot be taken up', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_500 });
    const { run } = await t.startRun();
    await t.engine.fault(
      { method: 'GET', path: '/v1/responses/*' },
      { kind: 'status', status: 400, code: null, type: 'invalid_request_error', message: 'no stream' },
    );
    const responses = await waitToEnd(run);
    expect(responses.at(-1)?.body.status).toBe('completed');
    expect((await engineCalls()).length).toBeLessThanOrEqual(6);
  });

  test('goes on when the stream breaks off', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_500 });
    const { run } = await t.startRun();
    await t.engine.fault({ method: 'GET', path: '/v1/responses/*' }, { kind: 'drop' });
    expect((await waitToEnd(run)).at(-1)?.body.status).toBe('completed');
  });

  test('a client that goes away ends the work for it', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    while ((await t.call(run)).body.status !== 'in_progress');
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const left = new AbortController();
    const waiting = fetch(`${t.url}/api/${run}?wait=60`, {
      headers: { Authorization: `Bearer ${token}` },
      signal: left.signal,
    }).catch(() => 'left');
    const streams = () => t.engine.openStreams();
    while ((await streams()) === 0) await scheduler.wait(20);
    left.abort();
    expect(await waiting).toBe('left');
    while ((await streams()) > 0) await scheduler.wait(50);
  });

  test.each(['-1', '61', '1.5', 'x', '', '0x1', '1e1', '100'])('answers 400 for wait=%j', async (wait) => {
    const { run } = await t.startRun();
    const response = await t.call(`${run}?wait=${wait}`);
    expect(response.status).toBe(400);
    expect(Object.keys(response.body.errors)).toEqual(['Wait']);
    expect((await t.call(run, { headers: { Prefer: `wait=${wait}` } })).status).toBe(400);
  });
});

describe('polling politely', () => {
  test('an unfinished run has Retry-After and is not stored; a finished one may be, by the client alone', async () => {
    await t.engine.outcome({ status: 'never' });
    const unfinished = await t.call((await t.startRun()).run);
    expect(Number(unfinished.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(unfinished.headers.get('Cache-Control')).toBe('no-store');
    await t.engine.reset();
    const finished = await t.finish((await t.startRun()).run);
    expect(finished.headers.get('Retry-After')).toBeNull();
    expect(finished.headers.get('Cache-Control')).toMatch(/^private, max-age=\d+$/);
    expect(finished.headers.get('Vary')).toBe('Authorization');
  });

  test('If-None-Match answers 304 until the run changes', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    let response = await t.call(run);
    while (response.body.status === 'queued') response = await t.call(run);
    const etag = response.headers.get('ETag') ?? '';
    expect(etag).toMatch(/^"[\w-]+"$/);
    for (const condition of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const same = await t.call(run, { headers: { 'If-None-Match': condition } });
      expect([same.status, same.text, same.headers.get('ETag')]).toEqual([304, '', etag]);
    }
    const changing = t.call(`${run}?wait=20`, { headers: { 'If-None-Match': etag } });
    await t.call(`${run}/cancel`, { method: 'POST' });
    const changed = await changing;
    expect([changed.status, changed.body.status]).toEqual([200, 'cancelled']);
    expect(changed.headers.get('ETag')).not.toBe(etag);
  });
});
