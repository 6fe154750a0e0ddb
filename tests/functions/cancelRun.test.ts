import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { useService } from '../support/useService.ts';

const t = useService();

describe('cancelRun', () => {
  test('cancels in the engine, records the end and frees the thread', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const { run } = await t.startRun(thread);
    const cancelled = await t.call(`${run}/cancel`, { method: 'POST' });
    expect(cancelled.status).toBe(200);
    expect(cancelled.body).toMatchObject({
      status: 'cancelled',
      completedAt: expect.any(String),
      errorMessage: expect.any(String),
    });
    expect((await t.engineRunOf(run))?.status).toBe('cancelled');
    expect((await t.call(run)).body).toEqual(cancelled.body);
    await t.engine.reset();
    await t.startRun(thread);
  });

  test('answers 409 for a run that has finished, recorded or not', async () => {
    const thread = await t.openThread();
    const { run } = await t.startRun(thread);
    // Finished in the engine, though nobody has looked.
    while ((await t.engineRunOf(run))?.status !== 'completed') await scheduler.wait(10);
    const finished = { message: 'Run has already finished', code: 'run_finished' };
    for (let times = 0; times < 2; times++) {
      const response = await t.call(`${run}/cancel`, { method: 'POST' });
      expect([response.status, response.body]).toEqual([409, finished]);
    }
    expect((await t.call(run)).body.status).toBe('completed');
  });

  test('of a run that is being handed over wins, and the engine is stopped', async () => {
    await t.engine.outcome({ status: 'never' });
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 1_000 });
    const thread = await t.openThread();
    const creating = t.startRun(thread, { headers: { 'Idempotency-Key': 'k' } });
    let busy = await t.call(`${thread}/runs`, { method: 'GET' });
    while (busy.body.runs.length === 0) busy = await t.call(`${thread}/runs`);
    const run = `${thread}/runs/${busy.body.runs[0].runId}`;
    const response = await t.call(`${run}/cancel`, { method: 'POST' });
    expect(response.body.status).toBe('cancelled');
    await creating;
    expect((await t.call(run)).body.status).toBe('cancelled');
    expect((await t.engineRunOf(run))?.status).toBe('cancelled');
  });

  test('of a run that others watch meanwhile cancels it all the same', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const { run } = await t.startRun(thread);
    // The engine takes its time to agree, and a look writes in_progress before it does.
    await t.engine.fault({ method: 'POST', path: '/v1/responses/*/cancel' }, { kind: 'delay', ms: 500 });
    const cancelling = t.call(`${run}/cancel`, { method: 'POST' });
    while ((await t.call(run)).body.status === 'queued');
    const response = await cancelling;
    expect([response.status, response.body.status]).toEqual([200, 'cancelled']);
    expect((await t.call(run)).body.status).toBe('cancelled');
  });

  test.each([
    [{ kind: 'status', status: 429, headers: { 'retry-after': '4' } }, 429, 'rate_limited'],
    [{ kind: 'drop' }, 503, 'unavailable'],
  ])('leaves the run as it was when the engine cannot tell: %j', async (fault, status, code) => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun(await t.openThread());
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses/*/cancel' },
      { code: null, type: 'x', message: 'x', ...fault },
    );
    const response = await t.call(`${run}/cancel`, { method: 'POST' });
    expect([response.status, response.body.code]).toEqual([status, code]);
    expect((await t.call(run)).body.status).toBe('in_progress');
  });

  test('answers 404 for what is not there', async () => {
    const thread = await t.openThread();
    expect((await t.call(`${thread}/runs/run_nosuch/cancel`, { method: 'POST' })).body.code).toBe(
      'run_not_found',
    );
    const elsewhere = `projects/${t.projectId}/threads/thread_nosuch/runs/run_nosuch/cancel`;
    expect((await t.call(elsewhere, { method: 'POST' })).body.code).toBe('thread_not_found');
  });
});
