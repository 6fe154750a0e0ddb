import { scheduler } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { idOf } from '../support/paths.ts';
import { stateOf } from '../support/projectState.ts';
import type { TestResponse } from '../support/service.ts';
import { rowsOf, threadsTable } from '../support/table.ts';
import { useService } from '../support/useService.ts';

/* Creates of threads with a first message: one request, one claim, and nothing half-made whatever fails. */

const t = useService();
let path: string;
beforeEach(async () => {
  await t.changeProject();
  path = `projects/${t.projectId}/threads`;
  await t.call(path);
  t.store.reset();
  await t.engine.reset();
});

const first = {
  message: 'Explain the database schema',
  instructions: 'Be brief.',
  metadata: { customer: '4711' },
};
const create = (body: unknown = first, key?: string) =>
  t.call(path, {
    method: 'POST',
    body,
    headers: key === undefined ? {} : { 'Idempotency-Key': key },
  });

const listed = async (): Promise<{ threadId: string }[]> => (await t.call(path)).body.threads;
const starts = async () => (await t.engine.calls()).filter((call) => call === 'POST /v1/responses').length;
const threadOf = ({ body }: TestResponse) => `${path}/${body.threadId}`;
const runOf = ({ body }: TestResponse) => `${path}/${body.threadId}/runs/${body.run.runId}`;
const outcomeOf = ({ status, body }: TestResponse) => [status, body.code];

/** Nothing is left of a create: no row, no conversation, no thread in a list. */
async function expectNothing(): Promise<void> {
  expect(await listed()).toEqual([]);
  expect(await rowsOf(t.projectId)).toEqual([]);
  const calls = await t.engine.calls();
  const opened = calls.filter((call) => call === 'POST /v1/conversations').length;
  expect(calls.filter((call) => call.startsWith('DELETE /v1/conversations/'))).toHaveLength(opened);
}

describe('a thread with a first message', () => {
  test('is created with its run, which replies', async () => {
    const created = await create();
    expect(created.status).toBe(201);
    const { threadId, createdAt, run } = created.body;
    expect(created.body).toEqual({
      ...{ threadId, projectId: t.projectId, createdAt, metadata: first.metadata },
      run: {
        ...{ runId: expect.stringMatching(/^run_/), threadId, projectId: t.projectId, status: 'queued' },
        ...{ createdAt: expect.any(String), startedAt: null, completedAt: null, assistantId: 'asst_test' },
        ...{ instructions: first.instructions, userMessage: first.message },
      },
    });
    expect(created.headers.get('Location')).toBe(`/api/${path}/${threadId}`);
    const finished = await t.finish(runOf(created));
    expect(finished.body).toMatchObject({ status: 'completed', runId: run.runId });
    expect(finished.body).not.toHaveProperty('metadata');
    const { body } = await t.call(threadOf(created));
    expect(body).toMatchObject({ activeRunId: null, metadata: first.metadata });
    expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant']);
    expect((await t.engineRunOf(run.runId))?.instructions).toContain(first.instructions);
    expect(await listed()).toEqual([
      { threadId, projectId: t.projectId, createdAt, metadata: first.metadata },
    ]);
    expect((await t.createRun(threadOf(created))).status).toBe(201);
  });

  test('costs the engine two calls, and the store one claim', async () => {
    expect((await create()).status).toBe(201);
    expect(await t.engine.calls()).toEqual(['POST /v1/conversations', 'POST /v1/responses']);
    expect(t.store.roundTrips).toEqual(['insert', 'transaction', 'merge', 'merge']);
  });

  test('is one without a run if there is no message', async () => {
    const created = await create({ metadata: first.metadata });
    expect(created.body).not.toHaveProperty('run');
    expect(created.body.metadata).toEqual(first.metadata);
    expect((await t.call(threadOf(created))).body).toMatchObject({ messages: [], metadata: first.metadata });
    expect((await listed())[0]).toMatchObject({ metadata: first.metadata });
    expect(await starts()).toBe(0);
  });

  test.each<[string, unknown, string[]]>([
    ['a blank message', { message: ' ' }, ['Message']],
    ['a message of null', { message: null }, ['Message']],
    ['instructions without a message', { instructions: 'x' }, ['Message']],
    ['long instructions', { message: 'x', instructions: 'x'.repeat(2_001) }, ['Instructions']],
    ['metadata of a number', { message: 'x', metadata: 7 }, ['Metadata']],
    ['no JSON', '{', ['$']],
  ])('cannot have %s', async (_name, body, fields) => {
    const { status, body: problem } = await create(body);
    expect([status, Object.keys(problem.errors)]).toEqual([400, fields]);
    expect(await t.engine.calls()).toEqual([]);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('whose message the engine refuses has a failed run', async () => {
    await t.engine.refuseCreate('content_filter');
    const created = await create();
    expect(created.status).toBe(201);
    expect((await t.call(runOf(created))).body).toMatchObject({
      ...{ status: 'failed', errorCode: 'content_filter' },
    });
    expect(await listed()).toHaveLength(1);
  });
});

describe('a create of a thread with a message that fails', () => {
  const responses = { method: 'POST', path: '/v1/responses' };

  test.each([
    ['429', { kind: 'status', status: 429 }, 429, 'rate_limited'],
    ['401', { kind: 'status', status: 401 }, 500, 'internal_error'],
    ['404 for the conversation', { kind: 'status', status: 404, code: null }, 503, 'unavailable'],
    [
      'a locked conversation',
      { kind: 'status', status: 400, code: 'conversation_locked' },
      503,
      'unavailable',
    ],
  ])(
    'because the run is answered with %s leaves nothing, and its key is free',
    async (_name, fault, status, code) => {
      for (const key of [undefined, 'k']) {
        await t.engine.fault(responses, fault);
        expect(outcomeOf(await create(first, key))).toEqual([status, code]);
        await expectNothing();
      }
      const again = await create(first, 'k');
      expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
      expect((await t.finish(runOf(again))).body.status).toBe('completed');
    },
  );

  test.each([
    ['500', { kind: 'status', status: 500 }],
    ['nothing', { kind: 'drop' }],
    ['a lost response', { kind: 'drop_after' }],
  ])('because the run is answered with %s leaves nothing without a key', async (_name, fault) => {
    await t.engine.fault(responses, fault);
    expect(outcomeOf(await create())).toEqual([503, 'unavailable']);
    await expectNothing();
  });

  test('with an unknown outcome keeps thread and run for its key, and starts no second run', async () => {
    await t.engine.fault(responses, { kind: 'drop_after' });
    expect(outcomeOf(await create(first, 'k'))).toEqual([503, 'unavailable']);
    expect(await starts()).toBe(1);
    const again = await create(first, 'k');
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, 'true']);
    expect((await t.call(runOf(again))).body).toMatchObject({
      ...{ status: 'failed', errorCode: 'outcome_unknown' },
    });
    expect(await listed()).toMatchObject([{ threadId: again.body.threadId }]);
    expect(await starts()).toBe(1);
  });

  test.each(['POST /v1/conversations', 'insert', 'transaction'])('at %s leaves nothing', async (where) => {
    for (const key of [undefined, 'k']) {
      const [method, enginePath = ''] = where.split(' ');
      if (enginePath) await t.engine.fault({ method: method ?? '', path: enginePath }, { kind: 'drop' });
      else if (where === 'insert') t.store.inject({ kind: 'insert', row: 'index' }, 'fail', 3);
      else t.store.inject({ kind: 'transaction', row: 'thread' }, 'fail', 3);
      expect(outcomeOf(await create(first, key))).toEqual([503, 'unavailable']);
      expect(await starts()).toBe(0);
      expect(await listed()).toEqual([]);
      const rows = await rowsOf(t.projectId);
      // A closed row keeps a late addition away, until the follow-up removes it; a key may keep its reservation.
      expect(rows.filter(({ rowKey, closed }) => rowKey === 'thread' && !closed)).toEqual([]);
      expect(rows.filter(({ rowKey }) => String(rowKey).startsWith('run_'))).toEqual([]);
    }
    const again = await create(first, 'k');
    expect([again.status, (await t.finish(runOf(again))).body.status]).toEqual([201, 'completed']);
    expect(await listed()).toHaveLength(1);
  });

  test('because the claim comes late leaves no ghost', async () => {
    for (const [key, lateMs] of [
      [undefined, 1_500],
      ['k', 1_500],
      ['l', 1],
    ] as const) {
      t.store.inject({ kind: 'transaction', row: 'thread' }, { lateMs, response: 'fail' }, 3);
      expect(outcomeOf(await create(first, key))).toEqual([503, 'unavailable']);
      while (t.store.pendingLate() > 0) await scheduler.wait(20);
      expect(await starts()).toBe(0);
      expect(await listed()).toEqual([]);
    }
    expect((await create(first, 'k')).status).toBe(201);
  });

  test('though only responses of the store are lost is done, once', async () => {
    for (const key of [undefined, 'k']) {
      t.store.inject('insert', 'lose', 2);
      t.store.inject('transaction', 'lose');
      t.store.inject('merge', 'lose', 2);
      const created = await create(first, key);
      expect(created.status).toBe(201);
      expect((await t.finish(runOf(created))).body.status).toBe('completed');
    }
    expect(await listed()).toHaveLength(2);
    expect(await starts()).toBe(2);
  });
});

describe('an Idempotency-Key of the create of a thread', () => {
  test.each([
    ['with a message', first],
    ['without one', { metadata: first.metadata }],
  ])('gives the same thread again, %s, as it was created', async (_name, body) => {
    const created = await create(body, 'k');
    await t.call(threadOf(created), { method: 'PATCH', body: { metadata: { other: 'x' } } });
    if (created.body.run) await t.finish(runOf(created));
    for (let again = 0; again < 2; again++) {
      const { metadata, ...rest } = body;
      const repeated = await create({ metadata, ...rest }, 'k');
      expect(repeated.status).toBe(201);
      expect(repeated.headers.get('Idempotency-Replayed')).toBe('true');
      expect(repeated.body).toEqual(created.body);
    }
    expect(await listed()).toHaveLength(1);
    expect(await t.engine.calls()).not.toContainEqual(expect.stringMatching(/^DELETE/));
    expect((await t.engine.calls()).filter((call) => call === 'POST /v1/conversations')).toHaveLength(1);
  });

  test('with another request gives 422', async () => {
    await create(first, 'k');
    for (const body of [
      { ...first, message: 'Other' },
      { ...first, instructions: null },
      { ...first, metadata: { customer: '0815' } },
      { metadata: first.metadata },
      {},
    ]) {
      expect(outcomeOf(await create(body, 'k'))).toEqual([422, 'idempotency_mismatch']);
    }
    expect(await listed()).toHaveLength(1);
  });

  test('is another for a run of the thread, and in another project', async () => {
    const created = await create(first, 'k');
    await t.finish(runOf(created));
    const body = { message: first.message, instructions: first.instructions };
    const run = await t.createRun(threadOf(created), body, { 'Idempotency-Key': 'k' });
    expect([run.status, run.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    await t.changeProject();
    const other = await t.call(`projects/${t.projectId}/threads`, {
      ...{ method: 'POST', body: first, headers: { 'Idempotency-Key': 'k' } },
    });
    expect([other.status, other.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
  });

  test.each([first, { metadata: first.metadata }])(
    'used ten times at once creates one thread: %j',
    async (body) => {
      const responses = await Promise.all(Array.from({ length: 10 }, () => create(body, 'k')));
      expect(responses.map(({ status }) => status)).toEqual(Array(10).fill(201));
      expect(new Set(responses.map(({ body: { threadId } }) => threadId)).size).toBe(1);
      expect(new Set(responses.map(({ body: { run } }) => run?.runId)).size).toBe(1);
      expect(responses.filter(({ headers }) => !headers.has('Idempotency-Replayed'))).toHaveLength(1);
      expect(await listed()).toHaveLength(1);
      expect(await starts()).toBe('message' in body ? 1 : 0);
      const { conversations } = await stateOf(t.engine, t.projectId);
      const calls = await t.engine.calls();
      const opened = calls.filter((call) => call === 'POST /v1/conversations').length;
      const removed = calls.filter((call) => call.startsWith('DELETE /v1/conversations/'));
      expect(removed).toHaveLength(opened - 1);
      expect(removed.join()).not.toContain(conversations[0]);
    },
  );

  test('that meets a create about to be undone creates the thread itself', async () => {
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'status', status: 429 });
    let second: Promise<TestResponse> | undefined;
    const before = async () => {
      second = create(first, 'k');
      await scheduler.wait(300);
    };
    // The first transaction is the claim; the second records that the run was rejected.
    t.store.inject({ kind: 'transaction', row: 'thread' }, { before: async () => undefined });
    t.store.inject({ kind: 'transaction', row: 'thread' }, { before });
    expect((await create(first, 'k')).status).toBe(429);
    const response = await second;
    expect([response?.status, response?.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    expect(await listed()).toMatchObject([{ threadId: response?.body.threadId }]);
  });

  test('goes on where a worker crashed before the thread was added', async () => {
    t.store.inject({ kind: 'insert', row: 'index' }, { before: () => t.kill() });
    await create(first, 'k').catch(() => undefined);
    await t.restart();
    await t.engine.reset();
    expect(await listed()).toEqual([]);
    const again = await create(first, 'k');
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    await t.finish(runOf(again));
    expect(await listed()).toMatchObject([{ threadId: again.body.threadId }]);
    expect(await starts()).toBe(1);
  });

  test('gives the claimed run of a worker that crashed before it was submitted, and starts no other', async () => {
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 30_000 });
    const pending = create(first, 'k').catch(() => undefined);
    while ((await listed()).length === 0) await scheduler.wait(20);
    await t.kill();
    await pending;
    await t.restart();
    await t.engine.reset();
    const again = await create(first, 'k');
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, 'true']);
    expect(await listed()).toMatchObject([{ threadId: again.body.threadId }]);
    expect((await t.call(threadOf(again))).body.activeRunId).toBe(again.body.run.runId);
    expect(await starts()).toBe(0);
  });

  test('whose reservation never became a thread gets new ids later', async () => {
    const created = await create(first, 'k');
    const [row] = (await rowsOf(t.projectId)).filter(({ partitionKey }) =>
      String(partitionKey).endsWith(':keys'),
    );
    await t.call(threadOf(created), { method: 'DELETE' });
    const table = await threadsTable();
    const createdAt = new Date(Date.now() - 61_000);
    const { partitionKey, rowKey, threadId, runId, fingerprint } = row as Record<string, string>;
    const columns = { threadId, runId, fingerprint, createdAt };
    await table.createEntity({ partitionKey: `${partitionKey}`, rowKey: `${rowKey}`, ...columns });
    const again = await create(first, 'k');
    expect(again.status).toBe(201);
    expect(again.body.threadId).not.toBe(created.body.threadId);
    expect(Date.parse(again.body.createdAt)).toBeGreaterThan(createdAt.getTime());
  });

  test('is free when its thread has been deleted, and nothing is left of either', async () => {
    const created = await create(first, 'k');
    expect((await t.call(threadOf(created), { method: 'DELETE' })).status).toBe(204);
    expect(await rowsOf(t.projectId)).toEqual([]);
    const again = await create(first, 'k');
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    expect(again.body.threadId).not.toBe(idOf(threadOf(created)));
  });

  test.each(['a b', '', 'x'.repeat(256)])('cannot be %j', async (key) => {
    const { status, body } = await create(first, key);
    expect([status, Object.keys(body.errors)]).toEqual([400, ['Idempotency-Key']]);
  });
});
