import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let projectId: string;

beforeAll(async () => {
  service = await startService({ RUN_TIMEOUT_SECONDS: '2' });
  ({ projectId } = await service.addProject());
});
afterAll(() => service.close());
beforeEach(async () => {
  service.store.reset();
  await service.engine.reset();
});

/** Starts a run on a thread of its own; returns the path of the run below `/api`. */
async function startRun(): Promise<{ thread: string; run: string }> {
  const thread = await service.openThread(projectId);
  const { headers, status } = await service.call(`${thread}/runs`, {
    method: 'POST',
    body: { message: 'Explain the database schema' },
  });
  expect(status).toBe(201);
  return { thread, run: (headers.get('Location') ?? '').replace('/api/', '') };
}

const onLookUp = { method: 'GET', path: '/v1/responses/*' };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('what monitoring costs', () => {
  test('an unfinished run: one read, one call to the engine, and a write only when something changed', async () => {
    await service.engine.outcome({ status: 'never' });
    const { run } = await startRun();
    let answer = await service.call(run);
    while (answer.body.status === 'queued') answer = await service.call(run);
    expect(answer.body).toMatchObject({
      status: 'in_progress',
      startedAt: expect.any(String),
      completedAt: null,
    });
    service.store.reset();
    await service.engine.reset();
    const { startedAt } = answer.body;
    expect((await service.call(run)).body.startedAt).toBe(startedAt);
    expect(service.store.roundTrips).toEqual(['read']);
    expect(await service.engine.calls()).toHaveLength(1);
  });

  test('a run that just ended: one read, one transaction; afterwards one read and no call', async () => {
    const { thread, run } = await startRun();
    let answer: Awaited<ReturnType<typeof service.call>>;
    do {
      service.store.reset();
      answer = await service.call(run);
    } while (answer.body.status !== 'completed');
    expect(service.store.roundTrips).toEqual(['read', 'transaction']);

    service.store.reset();
    await service.engine.reset();
    expect((await service.call(run)).body).toEqual(answer.body);
    expect(service.store.roundTrips).toEqual(['read']);
    expect(await service.engine.calls()).toEqual([]);
    expect((await service.call(thread)).body.activeRunId).toBeNull();
  });
});

describe('how a run ends', () => {
  test('completed: times in order, usage, no errorMessage', async () => {
    const { run } = await startRun();
    const { body } = await service.finish(run);
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
    await service.engine.outcome(outcome);
    const { thread, run } = await startRun();
    const { body, text } = await service.finish(run);
    expect(body).toMatchObject({ status: 'failed', errorMessage: expect.stringContaining(reason) });
    expect(body.completedAt).not.toBeNull();
    expect(body).not.toHaveProperty('usage');
    expect(text).not.toContain('secret detail');
    expect((await service.call(thread)).body.activeRunId).toBeNull();
  });

  test('expired: past its time it is cancelled in the engine, and the thread is free', async () => {
    await service.engine.outcome({ status: 'never' });
    const { thread, run } = await startRun();
    const { body } = await service.finish(run);
    expect(body).toMatchObject({ status: 'expired', errorMessage: expect.any(String) });
    expect(body.completedAt >= body.expiresAt).toBe(true);
    const [last] = (await service.engine.runs()).filter(({ metadata }) =>
      run.endsWith(metadata['runId'] ?? '-'),
    );
    expect(last?.status).toBe('cancelled');
    await service.engine.reset();
    expect((await service.call(`${thread}/runs`, { method: 'POST', body: { message: 'Next' } })).status).toBe(
      201,
    );
  });

  test('expired: a create that meets an overdue run ends it and goes on', async () => {
    await service.engine.outcome({ status: 'never' });
    const { thread, run } = await startRun();
    await pause(2_100);
    const next = await service.call(`${thread}/runs`, { method: 'POST', body: { message: 'Next' } });
    expect(next.status).toBe(201);
    expect((await service.call(run)).body.status).toBe('expired');
  });

  test('completed, when the answer was ready in time though nobody looked before the deadline', async () => {
    const { run } = await startRun();
    await pause(2_100);
    expect((await service.call(run)).body.status).toBe('completed');
  });

  test('expired: an overdue run ends even when the engine does not answer', async () => {
    await service.engine.outcome({ status: 'never' });
    const { run } = await startRun();
    await service.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'drop' }, null);
    await service.engine.fault(onLookUp, { kind: 'drop' }, null);
    await pause(2_100);
    expect((await service.call(run)).body).toMatchObject({
      status: 'expired',
      errorMessage: expect.stringContaining('unknown'),
    });
  });

  test('expired: a run that the engine no longer knows, saying that the thread may hold the answer', async () => {
    const { run } = await startRun();
    await service.engine.forget();
    // An early 404 is not yet an end: an engine may take a while to show a run.
    expect((await service.call(run)).body.status).toBe('queued');
    await pause(2_100);
    expect((await service.call(run)).body).toMatchObject({
      status: 'expired',
      errorMessage: expect.stringContaining('thread may hold the answer'),
    });
  });

  test('a recorded end is final, whatever the engine says afterwards', async () => {
    const { run } = await startRun();
    const { body } = await service.finish(run);
    await service.engine.forget();
    expect((await service.call(run)).body).toEqual(body);
  });

  test('twenty looks at once at a run that just ended all tell the same end', async () => {
    const { run } = await startRun();
    await pause(50);
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.call(run)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const ends = new Set(answers.filter(({ body }) => body.status === 'completed').map(({ text }) => text));
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
    const { run } = await startRun();
    await service.engine.fault(onLookUp, { code: null, type: 'x', message: 'secret detail', ...fault });
    const answer = await service.call(run);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code, message: status === 429 ? 'Too many requests' : failure });
    if (status === 429) expect(answer.headers.get('Retry-After')).toBe('9');
    if (status === 503) expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(answer.text).not.toContain('secret detail');
    expect((await service.finish(run)).body.status).toBe('completed');
  });

  test('the store being away answers 503 and recovers', async () => {
    const { run } = await startRun();
    await service.store.away();
    const answer = await service.call(run);
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ message: failure, code: 'unavailable' });
    await service.store.back();
    expect((await service.finish(run)).body.status).toBe('completed');
  });

  test('a lost answer of the store to the end of a run does not lose the end', async () => {
    const { run } = await startRun();
    await pause(50);
    service.store.inject('transaction', 'lose');
    expect((await service.finish(run)).body.status).toBe('completed');
  });
});

describe('what is not there', () => {
  test('a run: 404 Run not found; a thread: 404 Thread not found; malformed ids the same without a read', async () => {
    const { thread } = await startRun();
    const missing = await service.call(`${thread}/runs/run_nosuch`);
    expect([missing.status, missing.body]).toEqual([
      404,
      { message: 'Run not found', code: 'run_not_found' },
    ]);
    const elsewhere = await service.call(`projects/${projectId}/threads/thread_nosuch/runs/run_nosuch`);
    expect([elsewhere.status, elsewhere.body]).toEqual([
      404,
      { message: 'Thread not found', code: 'thread_not_found' },
    ]);
    service.store.reset();
    for (const runId of [
      'thread',
      'run_',
      'run_a-b',
      `run_${'a'.repeat(61)}`,
      'key_x',
      'run_%27%20or%20true',
    ]) {
      expect((await service.call(`${thread}/runs/${runId}`)).body.code).toBe('run_not_found');
    }
    for (const threadId of ['x', 'thread_', 'thread_a.b', 'thread_%01']) {
      const { body } = await service.call(`projects/${projectId}/threads/${threadId}/runs/run_a`);
      expect(body.code).toBe('thread_not_found');
    }
    expect(service.store.roundTrips).toEqual([]);
  });
});
