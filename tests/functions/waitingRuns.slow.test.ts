import { scheduler } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { aCall, answersTo, roundsOf, startWaitingRun, submit, waitForAction } from '../support/toolRounds.ts';
import { useService } from '../support/useService.ts';

/* What ends or bounds a run that waits for tool outputs. */

const t = useService();

describe('a run that asks for tool calls again and again', () => {
  test('may take sixteen rounds by default', async () => {
    const { run, action } = await startWaitingRun(t);
    let next = action;
    await t.engine.outcome(aCall, 15);
    for (let round = 1; round < 16; round++) {
      await submit(t, run, answersTo(next));
      next = await waitForAction(t, run);
    }
    await submit(t, run, answersTo(next));
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await roundsOf(t, run)).toHaveLength(17);
  });
});

describe('with two rounds at most', () => {
  beforeAll(async () => {
    await t.stop();
    await t.restart({ MAX_TOOL_ROUNDS: '2' });
  });
  afterAll(async () => {
    await t.stop();
    await t.restart();
  });

  test('a run that asks for more fails, and its thread takes the next message', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    let next = action;
    await t.engine.outcome(aCall, 2);
    await submit(t, run, answersTo(next));
    next = await waitForAction(t, run);
    await submit(t, run, answersTo(next));
    const { body } = await t.finish(run);
    expect(body).toMatchObject({
      status: 'failed',
      errorCode: 'too_many_tool_rounds',
      errorMessage: 'The assistant asked for tool calls in more than 2 rounds.',
      usage: { totalTokens: expect.any(Number) },
    });
    const { run: following } = await t.startRun(thread);
    expect((await t.finish(following)).body.status).toBe('completed');
  });
});

describe('a waiting run', () => {
  test('is cancelled without asking the engine', async () => {
    const { thread, run } = await startWaitingRun(t);
    await t.engine.reset();
    const { body } = await t.call(`${run}/cancel`, { method: 'POST' });
    expect(body).toMatchObject({ status: 'cancelled', errorCode: 'cancelled' });
    expect(await t.engine.calls()).toEqual([]);
    expect((await t.call(thread)).body.activeRunId).toBeNull();
  });

  test('is deleted with its thread', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.reset();
    expect((await t.call(thread, { method: 'DELETE' })).status).toBe(204);
    expect(await t.engine.calls()).toEqual([expect.stringMatching(/^DELETE \/v1\/conversations\//)]);
    expect((await submit(t, run, answersTo(action))).body.code).toBe('thread_not_found');
  });

  test('can be cancelled while its outputs are being submitted', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.outcome({ status: 'never' });
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses', exact: true },
      { kind: 'delay', ms: 1_000 },
    );
    const submitting = submit(t, run, answersTo(action));
    while ((await t.call(run)).body.status !== 'queued');
    expect((await t.call(`${run}/cancel`, { method: 'POST' })).body.status).toBe('cancelled');
    expect((await submitting).body.status).toBe('cancelled');
    expect((await roundsOf(t, run))[1]?.status).toBe('cancelled');
    const { run: following } = await t.startRun(thread);
    expect((await t.finish(following)).body.status).toBe('completed');
  });

  test('can lose its thread while its outputs are being submitted', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.outcome({ status: 'never' });
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses', exact: true },
      { kind: 'delay', ms: 1_000 },
    );
    const submitting = submit(t, run, answersTo(action));
    while ((await t.call(run)).body.status !== 'queued');
    expect((await t.call(thread, { method: 'DELETE' })).status).toBe(204);
    expect((await submitting).body.code).toBe('thread_not_found');
    const rounds = await roundsOf(t, run);
    expect(rounds[1]?.status ?? 'cancelled').toBe('cancelled');
  });

  test('goes on with another worker, which reads the calls from the engine', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.kill();
    await t.restart();
    await t.engine.reset();
    expect((await t.call(run)).body.requiredAction).toEqual(action);
    expect(await t.engine.calls()).toEqual([expect.stringMatching(/^GET \/v1\/responses\//)]);
    await submit(t, run, answersTo(action));
    expect((await t.finish(run)).body.status).toBe('completed');
  });

  test('fails a get with the error of the engine that does not say what it waits for', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.kill();
    await t.restart();
    const limit = {
      kind: 'status',
      status: 429,
      code: 'rate_limit_exceeded',
      headers: { 'retry-after': '7' },
    };
    await t.engine.fault({ method: 'GET', path: '/v1/responses' }, limit, 2);
    expect((await t.call(run)).body.code).toBe('rate_limited');
    expect((await submit(t, run, answersTo(action))).body.code).toBe('rate_limited');
    expect((await submit(t, run, answersTo(action))).status).toBe(200);
  });
});

describe('with a short time for runs', () => {
  beforeAll(async () => {
    await t.stop();
    await t.restart({ RUN_TIMEOUT_SECONDS: '12' });
  });
  afterAll(async () => {
    await t.stop();
    await t.restart();
  });

  test('a waiting run expires at the deadline of its create, also between two rounds', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.outcome(aCall);
    await submit(t, run, answersTo(action));
    const second = await waitForAction(t, run);
    const { expiresAt } = (await t.call(run)).body;
    await t.engine.reset();
    await scheduler.wait(Math.max(0, Date.parse(expiresAt) - Date.now()) + 10);
    expect((await submit(t, run, answersTo(second))).body.code).toBe('run_not_waiting');
    expect((await t.call(run)).body).toMatchObject({ status: 'expired', errorCode: 'timed_out' });
    expect(await t.engine.calls()).toEqual([]);
  });
});
