import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { rowsOf } from '../support/table.ts';
import { answersTo, changeRow, roundsOf, startWaitingRun, submit } from '../support/toolRounds.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* Submissions of tool outputs while the engine, the store or the worker fails. */

const t = useService();

const onCreate = { method: 'POST', path: '/v1/responses', exact: true };

/** Checks that the run's thread takes another message and replies to it. */
async function expectHealthy(thread: string): Promise<void> {
  const { run } = await t.startRun(thread);
  expect((await t.finish(run)).body.status).toBe('completed');
}

describe('an engine that certainly did not take the outputs', () => {
  const refusals = [
    [{ status: 429, code: 'rate_limit_exceeded', headers: { 'retry-after': '7' } }, 429, 'rate_limited'],
    [{ status: 400, code: 'conversation_locked' }, 409, 'thread_busy'],
    [{ status: 401, code: 'invalid_api_key' }, 500, 'internal_error'],
    [{ status: 400, code: 'invalid_value' }, 500, 'internal_error'],
  ] as const;

  test.each(refusals)(
    '%j: the run waits again, and takes the same outputs or others',
    async (fault, status, code) => {
      const { run, action } = await startWaitingRun(t);
      await t.engine.reset();
      await t.engine.fault(onCreate, { kind: 'status', type: 'x', message: 'secret detail', ...fault }, 2);
      for (const output of ['shipped', 'lost']) {
        const refused = await submit(t, run, answersTo(action, output));
        expect([refused.status, refused.body.code]).toEqual([status, code]);
        expect(refused.text).not.toContain('secret detail');
        expect((await t.call(run)).body).toMatchObject({ status: 'requires_action', requiredAction: action });
      }
      const again = await submit(t, run, answersTo(action));
      expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([200, null]);
      expect((await t.finish(run)).body.status).toBe('completed');
      expect(await roundsOf(t, run)).toHaveLength(2);
    },
  );
});

describe('outputs that the engine refuses', () => {
  test('fail the run, not the request, and its thread goes on', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.refuseCreate('azure_content_filter');
    const response = await submit(t, run, answersTo(action));
    expect([response.status, response.body]).toEqual([
      200,
      expect.objectContaining({ status: 'failed', errorCode: 'content_filter' }),
    ]);
    expect((await submit(t, run, answersTo(action))).body).toEqual(response.body);
    await expectHealthy(thread);
  });
});

describe('an engine whose response to a submission is lost', () => {
  const losses = [
    ['responds 500', { kind: 'status', status: 500, code: 'server_error', type: 'x', message: 'x' }, 1],
    ['drops the connection before taking the outputs', { kind: 'drop' }, 1],
    ['drops the connection after taking the outputs', { kind: 'drop_after' }, 2],
    ['responds what is not JSON', { kind: 'garbage' }, 1],
  ] as const;

  test.each(losses)('%s: 503, the run fails, and nothing is sent twice', async (_name, fault, taken) => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.reset();
    await t.engine.fault(onCreate, fault);
    const lost = await submit(t, run, answersTo(action));
    expect([lost.status, lost.body.code]).toEqual([503, 'unavailable']);
    expect(await t.engine.calls()).toEqual(['POST /v1/responses']);
    const again = await submit(t, run, answersTo(action));
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([200, 'true']);
    expect(again.body).toMatchObject({ status: 'failed', errorCode: 'outcome_unknown' });
    expect((await submit(t, run, answersTo(action, 'other'))).body.code).toBe('run_not_waiting');
    expect(await roundsOf(t, run)).toHaveLength(taken);
    await expectHealthy(thread);
  });
});

describe('an engine that is slow', () => {
  test('gets the outputs once, though a client repeats them before there is a response', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.fault(onCreate, { kind: 'delay', ms: 1_000 });
    const first = submit(t, run, answersTo(action));
    await until('it is claimed', async () => (await t.call(run)).body.status === 'queued');
    const responses = await Promise.all([first, submit(t, run, answersTo(action))]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    expect(responses[1]?.headers.get('Idempotency-Replayed')).toBe('true');
    expect(await roundsOf(t, run)).toHaveLength(2);
  });

  test('to take the outputs delays the response only', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.fault(onCreate, { kind: 'delay', ms: 2_500 });
    expect((await submit(t, run, answersTo(action))).status).toBe(200);
    expect((await t.finish(run)).body.status).toBe('completed');
  });

  test('to show the response does not end the run', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.timing({ visibleAfterMs: 1_500 });
    await submit(t, run, answersTo(action));
    expect((await t.call(run)).body.status).toBe('queued');
    expect((await t.finish(run)).body.status).toBe('completed');
  });

  test('and fails during a round ends the run with its reason', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.outcome({ status: 'failed', code: 'server_error' });
    await submit(t, run, answersTo(action));
    expect((await t.finish(run)).body).toMatchObject({ status: 'failed', errorCode: 'engine_error' });
    await expectHealthy(thread);
  });
});

describe('an engine that has forgotten the round', () => {
  test('does not matter to the worker that knows what the run waits for', async () => {
    const { run, action } = await startWaitingRun(t);
    const [first] = await roundsOf(t, run);
    await t.engine.forget(first?.id);
    expect((await t.call(run)).body.requiredAction).toEqual(action);
    await submit(t, run, answersTo(action));
    expect((await t.finish(run)).body.status).toBe('completed');
  });

  test('is given a minute, then the run ends as one that was lost, and its thread goes on', async () => {
    const { thread, run, runId, action } = await startWaitingRun(t);
    const [first] = await roundsOf(t, run);
    await t.kill();
    await t.restart();
    await t.engine.forget(first?.id);
    expect((await t.call(run)).body.code).toBe('unavailable');
    expect((await submit(t, run, answersTo(action))).body.code).toBe('unavailable');
    await changeRow(t, runId, { submittedAt: new Date(Date.now() - 61_000) });
    expect((await submit(t, run, answersTo(action))).body.code).toBe('run_not_waiting');
    expect((await t.call(run)).body).toMatchObject({ status: 'expired', errorCode: 'outcome_unknown' });
    await expectHealthy(thread);
  });
});

describe('a store that fails', () => {
  // The store's client tries three times.
  const tries = 3;

  test('before the claim: 503, nothing is submitted, and the outputs can be sent again', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.reset();
    t.store.inject('read', 'fail', 2 * tries);
    expect((await submit(t, run, answersTo(action))).body.code).toBe('unavailable');
    expect(await t.engine.calls()).toEqual([]);
    t.store.reset();
    expect((await submit(t, run, answersTo(action))).status).toBe(200);
  });

  test('that loses the response to a claim costs nothing: the claim is recognized', async () => {
    const { run, action } = await startWaitingRun(t);
    t.store.inject('merge', 'lose');
    const response = await submit(t, run, answersTo(action));
    expect([response.status, response.headers.get('Idempotency-Replayed')]).toEqual([200, null]);
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await roundsOf(t, run)).toHaveLength(2);
  });

  test('that executes a claim after its request has failed: the claim is undone', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.reset();
    t.store.inject({ kind: 'merge', row: 'run' }, { lateMs: 300, response: 'fail' }, tries);
    expect((await submit(t, run, answersTo(action))).status).toBe(503);
    expect(await t.engine.calls()).toEqual([]);
    while (t.store.pendingLate() > 0) await scheduler.wait(20);
    const again = await submit(t, run, answersTo(action));
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([200, null]);
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await roundsOf(t, run)).toHaveLength(2);
  });

  test('undoes such a claim also if nobody asks', async () => {
    const { run, runId, action } = await startWaitingRun(t);
    t.store.inject({ kind: 'merge', row: 'run' }, { lateMs: 300, response: 'fail' }, tries);
    expect((await submit(t, run, answersTo(action))).status).toBe(503);
    while (t.store.pendingLate() > 0) await scheduler.wait(20);
    const row = async () => (await rowsOf(t.projectId)).find(({ rowKey }) => rowKey === runId);
    await until('the run waits again', async () => (await row())?.['status'] === 'requires_action');
    expect(await row()).toMatchObject({ submissions: '[]', earlierResponseIds: '[]' });
  });

  test("that loses the response to the record of the round's id costs nothing", async () => {
    const { run, action } = await startWaitingRun(t);
    // The first merge is the claim.
    t.store.inject('merge', { before: async () => t.store.inject('merge', 'lose') });
    expect((await submit(t, run, answersTo(action))).status).toBe(200);
    expect((await t.finish(run)).body.status).toBe('completed');
  });

  test('after the engine took the outputs cancels them there, and the thread goes on', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.outcome({ status: 'never' });
    t.store.inject('merge', { before: async () => t.store.inject('merge', 'fail', 10) });
    expect((await submit(t, run, answersTo(action))).body.code).toBe('unavailable');
    expect((await roundsOf(t, run))[1]?.status).toBe('cancelled');
    t.store.reset();
    expect((await t.finish(run)).body.status).toBe('cancelled');
    await expectHealthy(thread);
  });

  test('when a rejection is recorded: it is recorded as soon as the store is back', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.fault(onCreate, { kind: 'status', status: 429, code: 'rate_limit_exceeded' });
    t.store.inject('merge', { before: async () => t.store.inject('merge', 'fail', tries) });
    expect((await submit(t, run, answersTo(action))).status).toBe(429);
    const again = await submit(t, run, answersTo(action));
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([200, null]);
    expect((await t.finish(run)).body.status).toBe('completed');
  });
});

describe('a worker that dies', () => {
  test('between the claim and the submission leaves a run that ends after a minute, and a thread that goes on', async () => {
    const { thread, run, runId, action } = await startWaitingRun(t);
    await t.engine.fault(onCreate, { kind: 'hang' });
    const lost = submit(t, run, answersTo(action)).catch(() => undefined);
    await until('it is claimed', async () => (await t.call(run)).body.status === 'queued');
    await t.kill();
    expect(await lost).toBeUndefined();
    await t.restart();
    const repeated = await submit(t, run, answersTo(action));
    expect([repeated.status, repeated.headers.get('Idempotency-Replayed')]).toEqual([200, 'true']);
    expect(repeated.body.status).toBe('queued');
    expect((await submit(t, run, answersTo(action, 'other'))).body.code).toBe('run_not_waiting');
    await changeRow(t, runId, { claimedAt: new Date(Date.now() - 60_000) });
    expect((await t.call(run)).body).toMatchObject({ status: 'expired', errorCode: 'outcome_unknown' });
    expect(await roundsOf(t, run)).toHaveLength(1);
    await expectHealthy(thread);
  });

  test('after the engine took the outputs leaves the same, though the engine completes the round', async () => {
    const { thread, run, runId, action } = await startWaitingRun(t);
    await t.engine.fault(onCreate, { kind: 'hang_after' });
    const lost = submit(t, run, answersTo(action)).catch(() => undefined);
    await until('the engine has it', async () => (await roundsOf(t, run)).length === 2);
    await t.kill();
    await lost;
    await t.restart();
    await changeRow(t, runId, { claimedAt: new Date(Date.now() - 60_000) });
    expect((await t.call(run)).body).toMatchObject({ status: 'expired', errorCode: 'outcome_unknown' });
    expect((await submit(t, run, answersTo(action))).body.status).toBe('expired');
    expect(await roundsOf(t, run)).toHaveLength(2);
    await expectHealthy(thread);
  });
});
