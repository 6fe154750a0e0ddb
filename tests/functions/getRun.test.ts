import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

const t = useService({ RUN_TIMEOUT_SECONDS: '2' });

const onLookUp = { method: 'GET', path: '/v1/responses/*' };
describe('what monitoring costs', () => {
  test('an unfinished run: one read, one call to the engine, and a write only when something changed', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    let response = await t.call(run);
    while (response.body.status === 'queued') response = await t.call(run);
    expect(response.body).toMatchObject({
      status: 'in_progress',
      startedAt: expect.any(String),
      completedAt: null,
    });
    t.store.reset();
    await t.engine.reset();
    const { startedAt } = response.body;
    expect((await t.call(run)).body.startedAt).toBe(startedAt);
    expect(t.store.roundTrips).toEqual(['read']);
    expect(await t.engine.calls()).toHaveLength(1);
  });

  test('a run that just ended: one read, one transaction; afterwards one read and no call', async () => {
    const { thread, run } = await t.startRun();
    let response: Awaited<ReturnType<typeof t.call>>;
    do {
      t.store.reset();
      response = await t.call(run);
    } while (response.body.status !== 'completed');
    expect(t.store.roundTrips).toEqual(['read', 'transaction']);

    t.store.reset();
    await t.engine.reset();
    expect((await t.call(run)).body).toEqual(response.body);
    expect(t.store.roundTrips).toEqual(['read']);
    expect(await t.engine.calls()).toEqual([]);
    expect((await t.call(thread)).body.activeRunId).toBeNull();
  });
});

describe('how a run ends', () => {
  test('completed while nobody looked: it started when the engine said so', async () => {
    await t.engine.timing({ queueMs: 300, runMs: 600 });
    const { run } = await t.startRun();
    await until('the run has ended', async () => Boolean((await t.engineRunOf(run))?.endedAtMs));
    const { body } = await t.call(run);
    expect(body.status).toBe('completed');
    const { createdAtMs = 0 } = (await t.engineRunOf(run)) ?? {};
    expect(Date.parse(body.startedAt)).toBeGreaterThanOrEqual(createdAtMs + 295);
    expect(body.startedAt < body.completedAt).toBe(true);
  });

  test('completed: times in order, usage, no errorMessage', async () => {
    const { run } = await t.startRun();
    const { body } = await t.finish(run);
    expect(body.createdAt <= body.startedAt && body.startedAt <= body.completedAt).toBe(true);
    expect(body.usage.totalTokens).toBe(body.usage.inputTokens + body.usage.outputTokens);
    expect(body).not.toHaveProperty('errorMessage');
  });

  test.each([
    [{ status: 'failed', code: 'server_error', message: 'secret detail' }, 'server_error'],
    [{ status: 'failed', code: 'rate_limit_exceeded', message: 'secret detail' }, 'rate_limit_exceeded'],
    [{ status: 'incomplete', reason: 'max_output_tokens' }, 'max_output_tokens'],
    [{ status: 'incomplete', reason: 'content_filter' }, 'content_filter'],
  ])("%j: failed, naming the reason and never the engine's words", async (outcome, reason) => {
    await t.engine.outcome(outcome);
    const { thread, run } = await t.startRun();
    const { body, text } = await t.finish(run);
    expect(body).toMatchObject({ status: 'failed', errorMessage: expect.stringContaining(reason) });
    expect(body.completedAt).not.toBeNull();
    // A round that was cut off has cost something, too.
    expect('usage' in body).toBe(outcome.status === 'incomplete');
    expect(text).not.toContain('secret detail');
    expect((await t.call(thread)).body.activeRunId).toBeNull();
  });

  test('expired: past its time it is cancelled in the engine, and the thread is free', async () => {
    await t.engine.outcome({ status: 'never' });
    const { thread, run } = await t.startRun();
    const { body } = await t.finish(run);
    expect(body).toMatchObject({ status: 'expired', errorMessage: expect.any(String) });
    expect(body.completedAt >= body.expiresAt).toBe(true);
    const [last] = (await t.engine.runs()).filter(({ metadata }) => run.endsWith(metadata['runId'] ?? '-'));
    expect(last?.status).toBe('cancelled');
    await t.engine.reset();
    expect((await t.call(`${thread}/runs`, { method: 'POST', body: { message: 'Next' } })).status).toBe(201);
  });

  test('expired: a create that meets an overdue run ends it and goes on', async () => {
    await t.engine.outcome({ status: 'never' });
    const { thread, run } = await t.startRun();
    await scheduler.wait(2_100);
    const next = await t.call(`${thread}/runs`, { method: 'POST', body: { message: 'Next' } });
    expect(next.status).toBe(201);
    expect((await t.call(run)).body.status).toBe('expired');
  });

  test('completed, when the reply was ready in time though nobody looked before the deadline', async () => {
    const { run } = await t.startRun();
    await scheduler.wait(2_100);
    expect((await t.call(run)).body.status).toBe('completed');
  });

  test('expired: an overdue run ends even when the engine does not answer', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'drop' }, null);
    await t.engine.fault(onLookUp, { kind: 'drop' }, null);
    await scheduler.wait(2_100);
    expect((await t.call(run)).body).toMatchObject({
      status: 'expired',
      errorMessage: expect.stringContaining('unknown'),
    });
  });

  test('expired: a run that the engine no longer knows, saying that the thread may hold the answer', async () => {
    const { run } = await t.startRun();
    await t.engine.forget();
    // An early 404 is not yet an end: an engine may take a while to show a run.
    expect((await t.call(run)).body.status).toBe('queued');
    await scheduler.wait(2_100);
    expect((await t.call(run)).body).toMatchObject({
      status: 'expired',
      errorMessage: expect.stringContaining('thread may hold the answer'),
    });
  });

  test('a recorded end is final, whatever the engine says afterwards', async () => {
    const { run } = await t.startRun();
    const { body } = await t.finish(run);
    await t.engine.forget();
    expect((await t.call(run)).body).toEqual(body);
  });

  test('twenty looks at once at a run that just ended all tell the same end', async () => {
    const { run } = await t.startRun();
    await scheduler.wait(50);
    const responses = await Promise.all(Array.from({ length: 20 }, () => t.call(run)));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    const ends = new Set(responses.filter(({ body }) => body.status === 'completed').map(({ text }) => text));
    expect(ends.size).toBe(1);
  });
});

describe('when the engine cannot tell', () => {
  const failure = 'An error occurred while checking the run status';

  test.each([
    ['rate limit', { kind: 'status', status: 429, headers: { 'retry-after': '9' } }, 429, 'rate_limited'],
    ['500', { kind: 'status', status: 500 }, 503, 'unavailable'],
    ['wrong key', { kind: 'status', status: 401 }, 500, 'internal_error'],
    ['dropped connection', { kind: 'drop' }, 503, 'unavailable'],
    ['not JSON', { kind: 'garbage' }, 503, 'unavailable'],
  ])('%s: the run stays as it was and ends well later', async (_name, fault, status, code) => {
    const { run } = await t.startRun();
    await t.engine.fault(onLookUp, { code: null, type: 'x', message: 'secret detail', ...fault });
    const response = await t.call(run);
    expect(response.status).toBe(status);
    expect(response.body).toMatchObject({ code, message: status === 429 ? 'Too many requests' : failure });
    if (status === 429) expect(response.headers.get('Retry-After')).toBe('9');
    if (status === 503) expect(Number(response.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(response.text).not.toContain('secret detail');
    expect((await t.finish(run)).body.status).toBe('completed');
  });

  test('the store being away answers 503 and recovers', async () => {
    const { run } = await t.startRun();
    await t.store.away();
    const response = await t.call(run);
    expect(response.status).toBe(503);
    expect(response.body).toMatchObject({ message: failure, code: 'unavailable' });
    await t.store.back();
    expect((await t.finish(run)).body.status).toBe('completed');
  });

  test('a lost response of the store to the end of a run does not lose the end', async () => {
    const { run } = await t.startRun();
    await scheduler.wait(50);
    t.store.inject('transaction', 'lose');
    expect((await t.finish(run)).body.status).toBe('completed');
  });
});

describe('what is not there', () => {
  test('a run: 404 Run not found; a thread: 404 Thread not found; malformed ids the same without a read', async () => {
    const { thread } = await t.startRun();
    const missing = await t.call(`${thread}/runs/run_nosuch`);
    expect([missing.status, missing.body]).toEqual([
      404,
      { message: 'Run not found', code: 'run_not_found' },
    ]);
    const elsewhere = await t.call(`projects/${t.projectId}/threads/thread_nosuch/runs/run_nosuch`);
    expect([elsewhere.status, elsewhere.body]).toEqual([
      404,
      { message: 'Thread not found', code: 'thread_not_found' },
    ]);
    t.store.reset();
    for (const runId of [
      'thread',
      'run_',
      'run_a-b',
      `run_${'a'.repeat(61)}`,
      'key_x',
      'run_%27%20or%20true',
    ]) {
      expect((await t.call(`${thread}/runs/${runId}`)).body.code).toBe('run_not_found');
    }
    for (const threadId of ['x', 'thread_', 'thread_a.b', 'thread_%01']) {
      const { body } = await t.call(`projects/${t.projectId}/threads/${threadId}/runs/run_a`);
      expect(body.code).toBe('thread_not_found');
    }
    expect(t.store.roundTrips).toEqual([]);
  });
});
