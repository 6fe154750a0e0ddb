import { beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '../../shared/model/ids.ts';
import { idOf } from '../support/paths.ts';
import type { FaultTarget } from '../support/storeProxy.ts';
import { insertRows, rowsOf, threadsTable } from '../support/table.ts';
import { useService } from '../support/useService.ts';

/* Deletions that are interrupted, raced and resumed. */

const t = useService();
beforeEach(() => t.changeProject());

const remove = (thread: string) => t.call(thread, { method: 'DELETE' });

/** Adds finished runs to the store alone, each a second older than the one before. */
async function addFinishedRuns(thread: string, count: number): Promise<string[]> {
  const now = Date.now() - 60_000;
  const runIds = Array.from({ length: count }, (_, index) => newId('run', new Date(now - index * 1_000)));
  await insertRows(
    runIds.map((rowKey) => ({
      partitionKey: `${t.projectId}:${idOf(thread)}`,
      rowKey,
      status: 'completed',
      assistantId: 'asst_test',
      createdAt: new Date(now),
      startedAt: new Date(now),
      completedAt: new Date(now),
      expiresAt: new Date(now),
    })),
  );
  return runIds;
}

const listed = async () => {
  const { body } = await t.call(`projects/${t.projectId}/threads`);
  return body.threads.map(({ threadId }: { threadId: string }) => threadId);
};

/** Nothing of a thread may answer, be listed, or take a run. */
async function expectGone(thread: string, runs: readonly string[]): Promise<void> {
  const paths = [thread, `${thread}/runs`, ...runs.flatMap((run) => [run, `${run}/events`, `${run}?wait=1`])];
  // Some hundred requests at a time would measure the machine.
  for (let start = 0; start < paths.length; start += 50) {
    const asked = paths.slice(start, start + 50).map((path) => t.call(path));
    for (const { status, body } of await Promise.all([...asked, t.createRun(thread)])) {
      expect([status, body?.code]).toEqual([404, 'thread_not_found']);
    }
  }
  expect(await listed()).not.toContain(idOf(thread));
}

describe('deleteThread', () => {
  test('cancels what runs, removes the conversation and every row, and is safe to repeat', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const { run } = await t.startRun(thread, { headers: { 'Idempotency-Key': 'k' } });
    await t.engine.reset();
    const responses = [await remove(thread), await remove(thread)];
    expect(responses.map(({ status, text }) => [status, text])).toEqual([
      [204, ''],
      [204, ''],
    ]);
    expect((await t.engineRunOf(run))?.status).toBe('cancelled');
    expect(await t.engine.calls()).toEqual([
      expect.stringMatching(/^POST \/v1\/responses\/.*\/cancel$/),
      expect.stringMatching(/^DELETE \/v1\/conversations\//),
    ]);
    expect((await t.call(thread)).body.code).toBe('thread_not_found');
    expect((await t.call(run)).body.code).toBe('thread_not_found');
    expect((await t.createRun(thread)).status).toBe(404);
    const { body } = await t.call(`projects/${t.projectId}/threads`);
    expect(body.threads.map(({ threadId }: { threadId: string }) => threadId)).not.toContain(
      thread.split('/').at(-1),
    );
  });

  test('whose run has ended without anyone looking', async () => {
    const thread = await t.openThread();
    const { run } = await t.startRun(thread);
    while ((await t.engineRunOf(run))?.status !== 'completed')
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await remove(thread)).status).toBe(204);
    expect((await t.call(thread)).status).toBe(404);
  });

  test('goes on where it was interrupted, and hides the thread from the first step on', async () => {
    const thread = await t.openThread();
    await t.finish((await t.startRun(thread)).run);
    await t.engine.fault({ method: 'DELETE', path: '/v1/conversations' }, { kind: 'drop' });
    const interrupted = await remove(thread);
    expect([interrupted.status, interrupted.body.code]).toEqual([503, 'unavailable']);
    expect(interrupted.body.message).toBe('An error occurred while deleting the thread');
    expect((await t.call(thread)).status).toBe(404);
    expect((await t.createRun(thread)).status).toBe(404);
    expect((await remove(thread)).status).toBe(204);
    await t.engine.reset();
    expect((await remove(thread)).status).toBe(204);
    expect(await t.engine.calls()).toEqual([]);
  });

  test('answers 204 for a thread that never was, and does nothing to one of another project', async () => {
    const other = await t.addProject();
    const thread = await t.openThread(other.projectId);
    const threadId = thread.split('/').at(-1);
    expect((await remove(`projects/${t.projectId}/threads/${threadId}`)).status).toBe(204);
    expect((await t.call(thread)).status).toBe(200);
  });

  test('removes more rows than one transaction holds', async () => {
    const thread = await t.openThread();
    for (let count = 0; count < 60; count++) {
      await t.finish((await t.startRun(thread, { headers: { 'Idempotency-Key': `key-${count}` } })).run);
    }
    expect((await remove(thread)).status).toBe(204);
    expect((await t.call(`${thread}/runs`)).status).toBe(404);
  });

  test('while a run is being handed over leaves nothing running', async () => {
    await t.engine.outcome({ status: 'never' });
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 800 });
    const thread = await t.openThread();
    const creating = t.createRun(thread);
    while ((await t.call(`${thread}/runs`)).body.runs.length === 0);
    expect((await remove(thread)).status).toBe(204);
    await creating;
    const running = (await t.engine.runs()).filter(({ metadata }) =>
      thread.endsWith(metadata['threadId'] ?? '-'),
    );
    expect(running.map(({ status }) => status)).not.toContain('in_progress');
    expect(running.map(({ status }) => status)).not.toContain('queued');
    expect((await t.call(thread)).status).toBe(404);
  });
});

describe('a thread whose deletion is interrupted', () => {
  test.each<[string, FaultTarget]>([
    ['removing the idempotency keys', { kind: 'transaction', row: 'key' }],
    ['removing the index entry', { kind: 'delete', row: 'index' }],
    ['removing the thread itself', { kind: 'delete', row: 'thread' }],
  ])('by the store at %s: is gone with its runs, and resumed', async (_name, target) => {
    const thread = await t.openThread();
    const { run: finished } = await t.startRun(thread, { headers: { 'Idempotency-Key': 'k' } });
    await t.finish(finished);
    await t.engine.outcome({ status: 'never' });
    const { run: active } = await t.startRun(thread, { headers: { 'Idempotency-Key': 'l' } });
    // More often than the store's client tries.
    t.store.inject(target, 'fail', 3);
    const interrupted = await remove(thread);
    expect([interrupted.status, interrupted.body.code]).toEqual([503, 'unavailable']);
    await expectGone(thread, [finished, active]);
    expect((await remove(thread)).status).toBe(204);
    expect((await t.engineRunOf(active))?.status).toBe('cancelled');
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test.each<[string, FaultTarget]>([
    ['marking the index entry', { kind: 'merge', row: 'index' }],
    ['closing the thread', { kind: 'transaction', row: 'thread' }],
  ])('by the store at %s: is still there and listed', async (_name, target) => {
    const thread = await t.openThread();
    const { run } = await t.startRun(thread);
    t.store.inject(target, 'fail', 3);
    expect((await remove(thread)).status).toBe(503);
    expect((await t.call(thread)).status).toBe(200);
    expect((await t.call(run)).status).toBe(200);
    expect(await listed()).toContain(idOf(thread));
    expect((await remove(thread)).status).toBe(204);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('by a lost confirmation of the closing: goes on at once', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const { run } = await t.startRun(thread);
    t.store.inject('transaction', 'lose');
    expect((await remove(thread)).status).toBe(204);
    expect((await t.engineRunOf(run))?.status).toBe('cancelled');
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('by the engine: all of its runs are gone, however many', async () => {
    const thread = await t.openThread();
    const runs = (await addFinishedRuns(thread, 230)).map((runId) => `${thread}/runs/${runId}`);
    await t.engine.outcome({ status: 'never' });
    const { run: active } = await t.startRun(thread, { headers: { 'Idempotency-Key': 'k' } });
    await t.engine.fault({ method: 'DELETE', path: '/v1/conversations' }, { kind: 'drop' });
    expect((await remove(thread)).status).toBe(503);
    await expectGone(thread, [active, ...[0, 97, 98, 99, 150, 229].map((index) => runs[index] ?? '')]);
    expect((await rowsOf(t.projectId)).map(({ rowKey }) => rowKey)).toEqual([
      'thread',
      expect.stringContaining(idOf(thread)),
    ]);
    expect((await remove(thread)).status).toBe(204);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });
});

describe('deleting a thread', () => {
  test('hides its newest runs and the active one in the very step that closes it', async () => {
    const thread = await t.openThread();
    // The active run is the oldest by its id, as with clocks that differ.
    await t.engine.outcome({ status: 'never' });
    const { run: active } = await t.startRun(thread);
    const table = await threadsTable();
    const partitionKey = `${t.projectId}:${idOf(thread)}`;
    const oldRunId = newId('run', new Date(0));
    const row = await table.getEntity(partitionKey, idOf(active));
    await table.createEntity({ ...row, partitionKey, rowKey: oldRunId });
    await table.updateEntity({ partitionKey, rowKey: 'thread', activeRunId: oldRunId }, 'Merge');
    await table.deleteEntity(partitionKey, idOf(active));
    const runIds = await addFinishedRuns(thread, 150);
    const runs = [`${thread}/runs/${oldRunId}`, ...runIds.slice(0, 98).map((id) => `${thread}/runs/${id}`)];
    // The next transaction is the first one behind the closing.
    t.store.inject({ kind: 'transaction', row: 'thread' }, { before: async () => failNext() });
    const failNext = () => t.store.inject('transaction', 'fail', 3);
    expect((await remove(thread)).status).toBe(503);
    await expectGone(thread, runs);
    expect((await remove(thread)).status).toBe(204);
    expect((await t.engineRunOf(active))?.status).toBe('cancelled');
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('cancels a run that the engine takes while its thread is being closed', async () => {
    const thread = await t.openThread();
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun(thread);
    const keys = { partitionKey: `${t.projectId}:${idOf(thread)}`, rowKey: idOf(run) };
    const table = await threadsTable();
    const { responseId, ...submitting } = await table.getEntity(keys.partitionKey, keys.rowKey);
    await table.updateEntity({ ...submitting, ...keys }, 'Replace');
    t.store.inject('transaction', {
      before: () => table.updateEntity({ ...keys, responseId }, 'Merge'),
    });
    expect((await remove(thread)).status).toBe(204);
    expect((await t.engineRunOf(run))?.status).toBe('cancelled');
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test.each([500, 409, 429])('ends when the engine answers every cancel with %i', async (status) => {
    const thread = await t.openThread();
    await t.engine.outcome({ status: 'never' });
    await t.startRun(thread);
    await t.engine.reset();
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses/*/cancel' },
      { kind: 'status', status },
      null,
    );
    expect((await remove(thread)).status).toBe(204);
    // After 409 the response is looked up: it might have ended.
    expect((await t.engine.calls()).filter((call) => !call.startsWith('GET'))).toEqual([
      expect.stringMatching(/^POST \/v1\/responses\/.*\/cancel$/),
      expect.stringMatching(/^DELETE \/v1\/conversations\//),
    ]);
    expect(t.log()).toContain('"event":"cancel_failed"');
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('makes a create that had read the thread just before answer 404', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 60_000 });
    const thread = await t.openThread();
    await t.startRun(thread);
    // The create knows of the active run by now, and is about to look at it.
    t.store.inject({ kind: 'read', row: 'run' }, { before: () => remove(thread) });
    const { status, body } = await t.createRun(thread);
    expect([status, body.code]).toEqual([404, 'thread_not_found']);
  });

  test('costs the same few round trips however many rows one transaction holds, and one when nothing is left', async () => {
    const [short, long] = [await t.openThread(), await t.openThread()];
    await addFinishedRuns(long, 90);
    await addFinishedRuns(short, 1);
    const counts = [];
    for (const thread of [short, long, long]) {
      t.store.roundTrips.length = 0;
      expect((await remove(thread)).status).toBe(204);
      counts.push(t.store.roundTrips.length);
    }
    expect(counts).toEqual([7, 7, 1]);
  });

  test('removes every row when the store pages as it likes and another request deletes too', async () => {
    const thread = await t.openThread();
    await addFinishedRuns(thread, 120);
    await t.startRun(thread, { headers: { 'Idempotency-Key': 'k' } });
    t.store.page(7);
    const responses = await Promise.all([remove(thread), remove(thread), remove(thread)]);
    // One may meet the other's changes more often than it tries.
    expect(responses.map(({ status }) => status)).toContain(204);
    expect((await remove(thread)).status).toBe(204);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });
});
