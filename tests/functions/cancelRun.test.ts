import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let projectId: string;

beforeAll(async () => {
  service = await startService();
  ({ projectId } = await service.addProject());
});
afterAll(() => service.close());
beforeEach(async () => {
  service.store.reset();
  await service.engine.reset();
});

const question = { message: 'Explain the database schema' };

async function startRun(thread: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await service.call(`${thread}/runs`, { method: 'POST', body: question, headers });
  expect(answer.status).toBe(201);
  return (answer.headers.get('Location') ?? '').replace('/api/', '');
}

const runOf = async (run: string) =>
  (await service.engine.runs()).find(({ metadata }) => run.endsWith(metadata['runId'] ?? '-'));

describe('cancelRun', () => {
  test('cancels in the engine, records the end and frees the thread', async () => {
    await service.engine.outcome({ status: 'never' });
    const thread = await service.openThread(projectId);
    const run = await startRun(thread);
    const cancelled = await service.call(`${run}/cancel`, { method: 'POST' });
    expect(cancelled.status).toBe(200);
    expect(cancelled.body).toMatchObject({
      status: 'cancelled',
      completedAt: expect.any(String),
      errorMessage: expect.any(String),
    });
    expect((await runOf(run))?.status).toBe('cancelled');
    expect((await service.call(run)).body).toEqual(cancelled.body);
    await service.engine.reset();
    await startRun(thread);
  });

  test('answers 409 for a run that has finished, recorded or not', async () => {
    const thread = await service.openThread(projectId);
    const run = await startRun(thread);
    // Finished in the engine, though nobody has looked.
    while ((await runOf(run))?.status !== 'completed')
      await new Promise((resolve) => setTimeout(resolve, 10));
    const finished = { message: 'Run has already finished', code: 'run_finished' };
    for (let times = 0; times < 2; times++) {
      const answer = await service.call(`${run}/cancel`, { method: 'POST' });
      expect([answer.status, answer.body]).toEqual([409, finished]);
    }
    expect((await service.call(run)).body.status).toBe('completed');
  });

  test('of a run that is being handed over wins, and the engine is stopped', async () => {
    await service.engine.outcome({ status: 'never' });
    await service.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 1_000 });
    const thread = await service.openThread(projectId);
    const creating = startRun(thread, { 'Idempotency-Key': 'k' });
    let busy = await service.call(`${thread}/runs`, { method: 'GET' });
    while (busy.body.runs.length === 0) busy = await service.call(`${thread}/runs`);
    const run = `${thread}/runs/${busy.body.runs[0].runId}`;
    const answer = await service.call(`${run}/cancel`, { method: 'POST' });
    expect(answer.body.status).toBe('cancelled');
    await creating;
    expect((await service.call(run)).body.status).toBe('cancelled');
    expect((await runOf(run))?.status).toBe('cancelled');
  });

  test('of a run that others watch meanwhile cancels it all the same', async () => {
    await service.engine.outcome({ status: 'never' });
    const thread = await service.openThread(projectId);
    const run = await startRun(thread);
    // The engine takes its time to agree, and a look writes in_progress before it does.
    await service.engine.fault(
      { method: 'POST', path: '/v1/responses/*/cancel' },
      { kind: 'delay', ms: 500 },
    );
    const cancelling = service.call(`${run}/cancel`, { method: 'POST' });
    while ((await service.call(run)).body.status === 'queued');
    const answer = await cancelling;
    expect([answer.status, answer.body.status]).toEqual([200, 'cancelled']);
    expect((await service.call(run)).body.status).toBe('cancelled');
  });

  test.each([
    [{ kind: 'status', status: 429, headers: { 'retry-after': '4' } }, 429, 'rate_limited'],
    [{ kind: 'drop' }, 503, 'unavailable'],
  ])('leaves the run as it was when the engine cannot tell: %j', async (fault, status, code) => {
    await service.engine.outcome({ status: 'never' });
    const run = await startRun(await service.openThread(projectId));
    await service.engine.fault(
      { method: 'POST', path: '/v1/responses/*/cancel' },
      { code: null, type: 'x', message: 'x', ...fault },
    );
    const answer = await service.call(`${run}/cancel`, { method: 'POST' });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect((await service.call(run)).body.status).toBe('in_progress');
  });

  test('answers 404 for what is not there', async () => {
    const thread = await service.openThread(projectId);
    expect((await service.call(`${thread}/runs/run_nosuch/cancel`, { method: 'POST' })).body.code).toBe(
      'run_not_found',
    );
    const elsewhere = `projects/${projectId}/threads/thread_nosuch/runs/run_nosuch/cancel`;
    expect((await service.call(elsewhere, { method: 'POST' })).body.code).toBe('thread_not_found');
  });
});

describe('listRuns', () => {
  test('pages newest first, filters by status, and is up to date', async () => {
    const thread = await service.openThread(projectId);
    const runs: string[] = [];
    for (let count = 0; count < 5; count++) {
      if (count === 1) await service.engine.outcome({ status: 'failed', code: 'server_error', message: 'x' });
      const run = await startRun(thread, { 'Idempotency-Key': `key-${count}` });
      if (count < 4) await service.finish(run);
      runs.unshift(run.split('/').at(-1) ?? '');
    }
    const { body: all } = await service.call(`${thread}/runs`);
    expect(all.runs.map(({ runId }: { runId: string }) => runId)).toEqual(runs);
    expect(all).toMatchObject({ hasMore: false, lastId: runs[4] });
    // The last one was never looked at.
    await service.finish(`${thread}/runs/${runs[0]}`);
    expect(all.runs[1]).toEqual((await service.call(`${thread}/runs/${runs[1]}`)).body);

    const { body: first } = await service.call(`${thread}/runs?limit=2`);
    expect(first).toMatchObject({
      runs: [{ runId: runs[0] }, { runId: runs[1] }],
      hasMore: true,
      lastId: runs[1],
    });
    const { body: rest } = await service.call(`${thread}/runs?limit=3&after=${first.lastId}`);
    expect(rest.runs.map(({ runId }: { runId: string }) => runId)).toEqual(runs.slice(2));
    expect(rest.hasMore).toBe(false);

    const { body: failed } = await service.call(`${thread}/runs?status=failed`);
    expect(failed.runs.map(({ runId }: { runId: string }) => runId)).toEqual([runs[3]]);
    expect((await service.call(`${thread}/runs?status=cancelled`)).body).toEqual({
      runs: [],
      hasMore: false,
      lastId: null,
    });
  });

  test.each([
    'limit=0',
    'limit=x',
    'status=done',
    "status=failed' or '1' eq '1",
    'after=x',
    "after=run_' or true",
  ])('answers 400 for ?%s', async (query) => {
    const thread = await service.openThread(projectId);
    expect((await service.call(`${thread}/runs?${encodeURI(query)}`)).status).toBe(400);
  });

  test('answers 404 for a thread that is not there', async () => {
    const answer = await service.call(`projects/${projectId}/threads/thread_nosuch/runs`);
    expect([answer.status, answer.body.code]).toEqual([404, 'thread_not_found']);
  });
});

describe('listThreads', () => {
  test("pages a project's threads newest first, and no other's", async () => {
    const [own, other] = [await service.addProject(), await service.addProject()];
    const threads: string[] = [];
    for (let count = 0; count < 5; count++) {
      const thread = await service.openThread(own.projectId);
      await service.finish(await startRun(thread));
      threads.unshift(thread.split('/').at(-1) ?? '');
      await service.openThread(other.projectId);
    }
    const path = `projects/${own.projectId}/threads`;
    const { body: all } = await service.call(path);
    expect(all.threads.map(({ threadId }: { threadId: string }) => threadId)).toEqual(threads);
    expect(all.threads[0]).toEqual({
      threadId: threads[0],
      projectId: own.projectId,
      createdAt: expect.any(String),
    });
    expect(all).toMatchObject({ hasMore: false, lastId: threads[4] });
    const { body: first } = await service.call(`${path}?limit=3`);
    expect(first).toMatchObject({ hasMore: true, lastId: threads[2] });
    const { body: rest } = await service.call(`${path}?limit=3&after=${first.lastId}`);
    expect(rest.threads.map(({ threadId }: { threadId: string }) => threadId)).toEqual(threads.slice(3));
    expect(rest.hasMore).toBe(false);
    expect((await service.call(`${path}?after=run_x`)).status).toBe(400);
  });

  test('keeps projects apart whose ids begin alike', async () => {
    const one = await service.addProject();
    const longer = await service.addProject({ projectId: `${one.projectId}-2` });
    await service.openThread(longer.projectId);
    expect((await service.call(`projects/${one.projectId}/threads`)).body.threads).toEqual([]);
  });
});

describe('deleteThread', () => {
  const remove = (thread: string) => service.call(thread, { method: 'DELETE' });

  test('cancels what runs, removes the conversation and every row, and is safe to repeat', async () => {
    await service.engine.outcome({ status: 'never' });
    const thread = await service.openThread(projectId);
    const run = await startRun(thread, { 'Idempotency-Key': 'k' });
    await service.engine.reset();
    const answers = [await remove(thread), await remove(thread)];
    expect(answers.map(({ status, text }) => [status, text])).toEqual([
      [204, ''],
      [204, ''],
    ]);
    expect((await runOf(run))?.status).toBe('cancelled');
    expect(await service.engine.calls()).toEqual([
      expect.stringMatching(/^POST \/v1\/responses\/.*\/cancel$/),
      expect.stringMatching(/^DELETE \/v1\/conversations\//),
    ]);
    expect((await service.call(thread)).body.code).toBe('thread_not_found');
    expect((await service.call(run)).body.code).toBe('thread_not_found');
    expect((await service.call(`${thread}/runs`, { method: 'POST', body: question })).status).toBe(404);
    const { body } = await service.call(`projects/${projectId}/threads`);
    expect(body.threads.map(({ threadId }: { threadId: string }) => threadId)).not.toContain(
      thread.split('/').at(-1),
    );
  });

  test('whose run has ended without anyone looking', async () => {
    const thread = await service.openThread(projectId);
    const run = await startRun(thread);
    while ((await runOf(run))?.status !== 'completed')
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await remove(thread)).status).toBe(204);
    expect((await service.call(thread)).status).toBe(404);
  });

  test('goes on where it was interrupted, and hides the thread from the first step on', async () => {
    const thread = await service.openThread(projectId);
    await service.finish(await startRun(thread));
    await service.engine.fault({ method: 'DELETE', path: '/v1/conversations' }, { kind: 'drop' });
    const interrupted = await remove(thread);
    expect([interrupted.status, interrupted.body.code]).toEqual([503, 'unavailable']);
    expect(interrupted.body.message).toBe('An error occurred while deleting the thread');
    expect((await service.call(thread)).status).toBe(404);
    expect((await service.call(`${thread}/runs`, { method: 'POST', body: question })).status).toBe(404);
    expect((await remove(thread)).status).toBe(204);
    await service.engine.reset();
    expect((await remove(thread)).status).toBe(204);
    expect(await service.engine.calls()).toEqual([]);
  });

  test('answers 204 for a thread that never was, and does nothing to one of another project', async () => {
    const other = await service.addProject();
    const thread = await service.openThread(other.projectId);
    const threadId = thread.split('/').at(-1);
    expect((await remove(`projects/${projectId}/threads/${threadId}`)).status).toBe(204);
    expect((await service.call(thread)).status).toBe(200);
  });

  test('removes more rows than one transaction holds', async () => {
    const thread = await service.openThread(projectId);
    for (let count = 0; count < 60; count++) {
      await service.finish(await startRun(thread, { 'Idempotency-Key': `key-${count}` }));
    }
    expect((await remove(thread)).status).toBe(204);
    expect((await service.call(`${thread}/runs`)).status).toBe(404);
  });

  test('while a run is being handed over leaves nothing running', async () => {
    await service.engine.outcome({ status: 'never' });
    await service.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 800 });
    const thread = await service.openThread(projectId);
    const creating = service.call(`${thread}/runs`, { method: 'POST', body: question });
    while ((await service.call(`${thread}/runs`)).body.runs.length === 0);
    expect((await remove(thread)).status).toBe(204);
    await creating;
    const running = (await service.engine.runs()).filter(({ metadata }) =>
      thread.endsWith(metadata['threadId'] ?? '-'),
    );
    expect(running.map(({ status }) => status)).not.toContain('in_progress');
    expect(running.map(({ status }) => status)).not.toContain('queued');
    expect((await service.call(thread)).status).toBe(404);
  });
});
