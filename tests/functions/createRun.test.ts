import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { freePort } from '../../local/azurite.ts';
import { idOf, pathOf } from '../support/paths.ts';
import { changeRow } from '../support/toolRounds.ts';
import { question, useService } from '../support/useService.ts';

const t = useService();

const onCreate = { method: 'POST', path: '/v1/responses' };

/** The engine's runs of one thread. */
const runsOf = async (thread: string) =>
  (await t.engine.runs()).filter(({ metadata }) => thread.endsWith(metadata['threadId'] ?? '-'));

describe('a run from start to end', () => {
  test('answers 201 with the run as created, and the finished run and its reply later', async () => {
    const thread = await t.openThread();
    const created = await t.createRun(thread, { ...question, instructions: 'Be brief.' });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      runId: expect.stringMatching(/^run_[a-z0-9]+$/),
      threadId: idOf(thread),
      status: 'queued',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      startedAt: null,
      completedAt: null,
      assistantId: 'asst_test',
      projectId: t.projectId,
      instructions: 'Be brief.',
      userMessage: question.message,
    });
    expect(created.headers.get('Location')).toBe(`/api/${thread}/runs/${created.body.runId}`);
    expect(created.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/);

    const finished = await t.finish(pathOf(created));
    expect(finished.body).toEqual({
      ...created.body,
      status: 'completed',
      startedAt: expect.any(String),
      completedAt: expect.any(String),
      instructions: null,
      userMessage: null,
      usage: {
        inputTokens: expect.any(Number),
        outputTokens: expect.any(Number),
        totalTokens: expect.any(Number),
      },
      expiresAt: expect.any(String),
    });

    const { body } = await t.call(thread);
    expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant']);
    expect(body.messages[0].content).toBe(question.message);
    expect(body.messages[1].content).toContain('database-schema.md');
  });

  test('costs the engine one call and the store one read, one transaction and one merge', async () => {
    const thread = await t.openThread();
    t.store.reset();
    await t.engine.reset();
    expect((await t.createRun(thread)).status).toBe(201);
    expect(t.store.roundTrips).toEqual(['read', 'transaction', 'merge']);
    expect(await t.engine.calls()).toEqual(['POST /v1/responses']);
  });

  test('costs no more with an Idempotency-Key', async () => {
    const thread = await t.openThread();
    t.store.reset();
    expect((await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).status).toBe(201);
    expect(t.store.roundTrips).toEqual(['read', 'transaction', 'merge']);
  });

  test("puts the caller's instructions after those of assistant and project", async () => {
    await t.engine.addVectorStore('vs_own');
    const project = await t.addProject({
      instructions: 'Project instructions.',
      vectorStoreIds: ['vs_own'],
    });
    const thread = await t.openThread(project.projectId);
    await t.createRun(thread, { ...question, instructions: 'Run instructions.' });
    const [run] = await runsOf(thread);
    expect(run).toMatchObject({
      instructions: 'Assistant instructions.\n\nProject instructions.\n\nRun instructions.',
      inputText: question.message,
      model: 'gpt-5-mini',
    });
  });

  test('takes an explicit null for instructions and ignores unknown properties', async () => {
    const thread = await t.openThread();
    const created = await t.createRun(thread, {
      ...question,
      instructions: null,
      model: 'other',
      projectId: 'other',
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ instructions: null, projectId: t.projectId });
    expect((await runsOf(thread))[0]?.model).toBe('gpt-5-mini');
  });

  test('answers 404 for a thread that does not exist, and never asks the engine', async () => {
    const response = await t.createRun(`projects/${t.projectId}/threads/thread_nosuch`);
    expect(response.status).toBe(404);
    expect(response.body).toEqual({ message: 'Thread not found', code: 'thread_not_found' });
    expect(await t.engine.calls()).toEqual([]);
  });

  test('answers 500 when the project names an assistant that is not configured, and starts nothing', async () => {
    const project = await t.addProject({ assistantId: 'asst_gone' });
    const thread = await t.openThread(project.projectId);
    await t.engine.reset();
    const response = await t.createRun(thread);
    expect(response.status).toBe(500);
    expect(response.body).toEqual({
      message: 'An error occurred while creating the thread run',
      code: 'internal_error',
      details: response.headers.get('X-Request-Id'),
    });
    expect(await t.engine.calls()).toEqual([]);
  });
});

describe('a busy thread', () => {
  test('answers 409 with the active run and where it is', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const first = await t.createRun(thread);
    const second = await t.createRun(thread);
    expect(second.status).toBe(409);
    expect(second.body).toEqual({
      message: 'Thread already has an active run',
      code: 'thread_busy',
      activeRunId: first.body.runId,
    });
    expect(second.headers.get('Location')).toBe(first.headers.get('Location'));
    expect(Number(second.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(await runsOf(thread)).toHaveLength(1);
  });

  test('is free as soon as its run has ended, whether or not anyone looked', async () => {
    const thread = await t.openThread();
    const first = await t.createRun(thread);
    // The emulator finishes a run at once, but only a look tells the service.
    let second = await t.createRun(thread);
    for (let tries = 0; second.status === 409 && tries < 100; tries++) second = await t.createRun(thread);
    expect(second.status).toBe(201);
    expect((await t.call(pathOf(first))).body.status).toBe('completed');
  });

  test('gives one of twenty creates at once the thread, and the others 409', async () => {
    await t.engine.outcome({ status: 'never' }, 20);
    const thread = await t.openThread();
    const responses = await Promise.all(Array.from({ length: 20 }, () => t.createRun(thread)));
    const statuses = responses.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array(19).fill(409)]);
    expect(await runsOf(thread)).toHaveLength(1);
    const winner = responses.find(({ status }) => status === 201);
    for (const { status, body } of responses) {
      if (status === 409) expect(body.activeRunId).toBe(winner?.body.runId);
    }
  });

  test('answers 409 without a run when only the engine holds the conversation, and forgets the refused run', async () => {
    const thread = await t.openThread();
    await t.engine.fault(onCreate, {
      kind: 'status',
      status: 400,
      code: 'conversation_locked',
      type: 'invalid_request_error',
      message: 'locked',
    });
    const response = await t.createRun(thread);
    expect(response.status).toBe(409);
    expect(response.body).toMatchObject({ code: 'thread_busy', activeRunId: null });
    expect((await t.createRun(thread)).status).toBe(201);
  });
});

describe('Idempotency-Key', () => {
  const withKey = { 'Idempotency-Key': 'key-1' };

  test('answers the same request with the first run as it was created, and starts nothing', async () => {
    const thread = await t.openThread();
    const first = await t.createRun(thread, { ...question, instructions: 'Be brief.' }, withKey);
    const during = await t.createRun(thread, { ...question, instructions: 'Be brief.' }, withKey);
    await t.finish(pathOf(first));
    const after = await t.createRun(thread, { ...question, instructions: 'Be brief.' }, withKey);
    for (const repeated of [during, after]) {
      expect(repeated.status).toBe(201);
      expect(repeated.body).toEqual(first.body);
      expect(repeated.headers.get('Idempotency-Replayed')).toBe('true');
      expect(repeated.headers.get('Location')).toBe(first.headers.get('Location'));
    }
    expect(first.headers.get('Idempotency-Replayed')).toBeNull();
    expect(await runsOf(thread)).toHaveLength(1);
  });

  test.each([
    ['message', { message: 'Another question' }],
    ['instructions', { ...question, instructions: 'Others.' }],
  ])('answers 422 when the %s differs', async (_field, other) => {
    const thread = await t.openThread();
    const first = await t.createRun(thread, question, withKey);
    const mismatch = await t.createRun(thread, other, withKey);
    expect(mismatch.status).toBe(422);
    expect(mismatch.body.code).toBe('idempotency_mismatch');
    await t.finish(pathOf(first));
    expect((await t.createRun(thread, other, withKey)).status).toBe(422);
    expect(await runsOf(thread)).toHaveLength(1);
  });

  test('belongs to a thread', async () => {
    const [one, other] = [await t.openThread(), await t.openThread()];
    const first = await t.createRun(one, question, withKey);
    const second = await t.createRun(other, { message: 'Another question' }, withKey);
    expect(second.status).toBe(201);
    expect(second.body.runId).not.toBe(first.body.runId);
  });

  test('starts one run for twenty equal requests at once', async () => {
    await t.engine.outcome({ status: 'never' }, 20);
    const thread = await t.openThread();
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => t.createRun(thread, question, withKey)),
    );
    const runIds = new Set(responses.map(({ body }) => body.runId ?? body.activeRunId));
    expect(responses.every(({ status }) => status === 201 || status === 409)).toBe(true);
    expect(runIds.size).toBe(1);
    expect(await runsOf(thread)).toHaveLength(1);
  });

  test.each([
    ['empty', ''],
    ['with a space', 'a b'],
    ['too long', 'k'.repeat(256)],
  ])('answers 400 for a key that is %s', async (_name, key) => {
    const thread = await t.openThread();
    const response = await t.createRun(thread, question, { 'Idempotency-Key': key });
    expect(response.status).toBe(400);
    expect(Object.keys(response.body.errors)).toEqual(['Idempotency-Key']);
    expect(await runsOf(thread)).toEqual([]);
  });

  test('takes a key of 255 characters', async () => {
    const thread = await t.openThread();
    expect((await t.createRun(thread, question, { 'Idempotency-Key': '~'.repeat(255) })).status).toBe(201);
  });
});

describe('an engine that refuses', () => {
  const failure = 'An error occurred while creating the thread run';
  const refusals = [
    {
      name: 'rate limit',
      fault: { status: 429, code: 'rate_limit_exceeded', headers: { 'retry-after': '7' } },
      response: {
        status: 429,
        body: { message: 'Too many requests', code: 'rate_limited' },
        retryAfter: '7',
      },
    },
    {
      name: 'rate limit in milliseconds',
      fault: { status: 429, code: 'rate_limit_exceeded', headers: { 'retry-after-ms': '2500' } },
      response: {
        status: 429,
        body: { message: 'Too many requests', code: 'rate_limited' },
        retryAfter: '3',
      },
    },
    {
      name: 'wrong key',
      fault: { status: 401, code: 'invalid_api_key' },
      response: { status: 500, code: 'internal_error' },
    },
    {
      name: 'no access',
      fault: { status: 403, code: null },
      response: { status: 500, code: 'internal_error' },
    },
    {
      name: 'unknown conversation',
      fault: { status: 404, code: null },
      response: { status: 404, body: { message: 'Thread not found', code: 'thread_not_found' } },
    },
    {
      name: 'unknown model',
      fault: { status: 404, code: 'model_not_found' },
      response: { status: 500, code: 'internal_error' },
    },
    {
      name: 'bad request',
      fault: { status: 400, code: 'invalid_value' },
      response: { status: 500, code: 'internal_error' },
    },
  ];

  test.each(refusals)(
    '$name: frees the thread and forgets the key, so that a retry starts afresh',
    async ({ fault, response }) => {
      const thread = await t.openThread();
      await t.engine.reset();
      await t.engine.fault(onCreate, { kind: 'status', type: 'x', message: 'secret detail', ...fault });
      const refused = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
      expect(refused.status).toBe(response.status);
      expect(refused.body).toEqual(
        response.body ?? {
          message: failure,
          code: response.code,
          details: refused.headers.get('X-Request-Id'),
        },
      );
      if (response.retryAfter) expect(refused.headers.get('Retry-After')).toBe(response.retryAfter);
      expect(refused.text).not.toContain('secret detail');
      expect(await t.engine.calls()).toEqual(['POST /v1/responses']);

      const again = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
      expect(again.status).toBe(201);
      expect(again.headers.get('Idempotency-Replayed')).toBeNull();
      expect(await runsOf(thread)).toHaveLength(1);
    },
  );

  test('that cannot be reached answers 503, and a retry with the same key starts afresh', async () => {
    const thread = await t.openThread();
    const { OPENAI_BASE_URL = '' } = t.settings;
    await t.stop();
    await t.restart({ OPENAI_BASE_URL: `http://127.0.0.1:${await freePort()}/v1` });
    const refused = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ message: failure, code: 'unavailable' });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    await t.stop();
    await t.restart({ OPENAI_BASE_URL });
    expect((await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).status).toBe(201);
    expect(await runsOf(thread)).toHaveLength(1);
  });
});

describe('an engine whose response is lost', () => {
  const losses = [
    [
      'answers 500',
      { kind: 'status', status: 500, code: 'server_error', type: 'server_error', message: 'x' },
      0,
    ],
    ['answers 503', { kind: 'status', status: 503, code: null, type: 'server_error', message: 'x' }, 0],
    ['drops the connection before taking the run', { kind: 'drop' }, 0],
    ['drops the connection after taking the run', { kind: 'drop_after' }, 1],
    ['answers what is not JSON', { kind: 'garbage' }, 0],
  ] as const;

  test.each(losses)(
    '%s: 503, the run ends as failed, and the key never starts a second one',
    async (_name, fault, taken) => {
      const thread = await t.openThread();
      await t.engine.reset();
      await t.engine.fault(onCreate, fault);
      const lost = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
      expect(lost.status).toBe(503);
      expect(lost.body).toMatchObject({ code: 'unavailable', details: lost.headers.get('X-Request-Id') });
      expect(await t.engine.calls()).toEqual(['POST /v1/responses']);

      const again = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
      expect(again.status).toBe(201);
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
      const run = await t.call(pathOf(again));
      expect(run.body).toMatchObject({ status: 'failed', errorMessage: expect.stringContaining('unknown') });
      expect(run.body.completedAt).not.toBeNull();
      expect(await runsOf(thread)).toHaveLength(taken);
    },
  );
});

describe('a store that fails', () => {
  const unavailable = { message: 'An error occurred while creating the thread run', code: 'unavailable' };

  test('before the claim answers 503, asks the engine nothing, and recovers', async () => {
    const thread = await t.openThread();
    await t.engine.reset();
    await t.store.away();
    const refused = await t.createRun(thread);
    expect(refused.status).toBe(503);
    expect(refused.body).toEqual({ ...unavailable, details: refused.headers.get('X-Request-Id') });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(await t.engine.calls()).toEqual([]);
    await t.store.back();
    expect((await t.createRun(thread)).status).toBe(201);
  });

  test('that loses the response to a claim costs nothing: the repeated claim is recognised', async () => {
    const thread = await t.openThread();
    t.store.inject('transaction', 'lose');
    const created = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
    expect(created.status).toBe(201);
    expect(created.headers.get('Idempotency-Replayed')).toBeNull();
    expect((await t.finish(pathOf(created))).body.status).toBe('completed');
    expect(await runsOf(thread)).toHaveLength(1);
  });

  test("that loses the response to the record of the engine's id costs nothing either", async () => {
    const thread = await t.openThread();
    t.store.inject('merge', 'lose');
    const created = await t.createRun(thread);
    expect(created.status).toBe(201);
    expect((await t.finish(pathOf(created))).body.status).toBe('completed');
  });

  test('after the engine took the run stops it there, so that no reply comes behind the records', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    t.store.inject('merge', 'fail', 10);
    const failed = await t.createRun(thread);
    expect(failed.status).toBe(503);
    expect(await runsOf(thread)).toEqual([expect.objectContaining({ status: 'cancelled' })]);
  });
});

describe('a store that fails just when the end of a run is recorded', () => {
  /** The next claim succeeds, and so many transactions after it fail. */
  const failAfterClaim = (times: number) =>
    t.store.inject('transaction', {
      before: async () => t.store.inject('transaction', 'fail', times),
    });
  const rateLimit = { kind: 'status', status: 429, code: 'rate_limit_exceeded', type: 'x', message: 'x' };
  // The store's client tries three times.
  const tries = 3;

  test('keeps neither thread nor key after a rejection: the retry starts a run', async () => {
    const thread = await t.openThread();
    await t.engine.fault(onCreate, rateLimit);
    failAfterClaim(tries);
    expect((await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).status).toBe(429);
    const again = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    expect(await runsOf(thread)).toHaveLength(1);
  });

  test('answers the retry 503 while it fails, and records the rejection by itself as soon as it can', async () => {
    const thread = await t.openThread();
    await t.engine.fault(onCreate, rateLimit);
    failAfterClaim(4 * tries);
    expect((await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).status).toBe(429);
    expect((await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).body.code).toBe('unavailable');
    let { body } = await t.call(`${thread}/runs`);
    while (body.runs[0].status === 'queued') ({ body } = await t.call(`${thread}/runs`));
    expect(body.runs[0]).toMatchObject({ status: 'failed', errorCode: 'rate_limited' });
    const again = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
  });

  test('a claim that is carried out after its request has failed is undone, and its key is free', async () => {
    const thread = await t.openThread();
    await t.engine.reset();
    t.store.inject('transaction', { lateMs: 300, response: 'fail' }, tries);
    expect((await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).status).toBe(503);
    expect(await t.engine.calls()).toEqual([]);
    while (t.store.pendingLate() > 0) await scheduler.wait(20);
    const again = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    expect(await runsOf(thread)).toHaveLength(1);
  });
});

describe('a process that dies', () => {
  test('between the claim and the response leaves a run that ends, a free thread, and a key that starts no second run', async () => {
    const thread = await t.openThread();
    await t.engine.fault(onCreate, { kind: 'hang_after' });
    const lost = t.createRun(thread, question, { 'Idempotency-Key': 'k' }).catch(() => undefined);
    while ((await runsOf(thread)).length === 0) await scheduler.wait(20);
    await t.kill();
    expect(await lost).toBeUndefined();
    await t.restart();

    const repeated = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
    expect(repeated.status).toBe(201);
    expect(repeated.headers.get('Idempotency-Replayed')).toBe('true');
    expect((await t.createRun(thread)).body).toMatchObject({
      code: 'thread_busy',
      activeRunId: repeated.body.runId,
    });

    await changeRow(t, repeated.body.runId, { expiresAt: new Date() });
    const ended = await t.finish(pathOf(repeated));
    expect(ended.body).toMatchObject({ status: 'expired', errorMessage: expect.stringContaining('unknown') });
    expect((await t.call(thread)).body.activeRunId).toBeNull();
    expect(await runsOf(thread)).toHaveLength(1);
  });
});
