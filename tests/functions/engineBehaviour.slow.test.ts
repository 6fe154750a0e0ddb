import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { readEvents, statusesOf, textOf } from '../support/events.ts';
import { pathOf } from '../support/paths.ts';
import { question, useService } from '../support/useService.ts';

/* What real engines do besides what they are asked, and what becomes of a run then. */

const t = useService();

const replyOf = async (thread: string): Promise<string> =>
  (await t.call(thread)).body.messages.at(-1).content;

describe('a stream that a create leaves too early', () => {
  test('would strand the run: it is read until the engine works on it', async () => {
    await t.engine.timing({ queueMs: 1_500, runMs: 100 });
    const { run } = await t.startRun();
    expect(await t.engine.openStreams()).toBe(1);
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await t.engine.openStreams()).toBe(0);
  });

  test('is taken up again when it breaks while the run is queued', async () => {
    await t.engine.behaviour({ strandDropped: false });
    await t.engine.timing({ queueMs: 1_000, runMs: 100 });
    await t.engine.spoilStream('created', { afterEvents: 1 });
    const { run } = await t.startRun();
    while ((await t.engine.calls()).filter((call) => call.startsWith('GET')).length === 0)
      await scheduler.wait(20);
    expect((await t.finish(run)).body.status).toBe('completed');
  });
});

describe('an engine that does not show a run yet', () => {
  test('delays its end and loses nothing', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 100, visibleAfterMs: 2_500 });
    const { thread, run } = await t.startRun();
    const { body } = await t.call(run);
    expect(['queued', 'in_progress']).toContain(body.status);
    const events = await readEvents(t, run);
    expect(statusesOf(events).at(-1)).toBe('completed');
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('cannot cancel it: 503, and the run stays as it is', async () => {
    await t.engine.outcome({ status: 'never' });
    await t.engine.timing({ visibleAfterMs: 1_500 });
    const { run } = await t.startRun();
    const early = await t.call(`${run}/cancel`, { method: 'POST' });
    expect([early.status, early.body.code]).toEqual([503, 'unavailable']);
    await scheduler.wait(1_500);
    expect((await t.call(`${run}/cancel`, { method: 'POST' })).body.status).toBe('cancelled');
  });
});

describe('the text of a reply', () => {
  test('is the refusal, when the model refuses', async () => {
    await t.engine.outcome(replies.refusal('I cannot help with that.'));
    const { thread, run } = await t.startRun();
    const events = await readEvents(t, run, { after: '0' });
    expect(textOf(events, 'refusal.delta')).toBe('I cannot help with that.');
    expect(textOf(events)).toBe('');
    await t.finish(run);
    expect(await replyOf(thread)).toBe('I cannot help with that.');
  });

  test('is apart from what is said on the way to it', async () => {
    await t.engine.outcome(replies.commentary('I will look that up.', 'There are three tables.'));
    const { thread, run } = await t.startRun();
    const events = await readEvents(t, run, { after: '0' });
    expect(textOf(events)).toBe('There are three tables.');
    expect(textOf(events, 'commentary.delta')).toBe('I will look that up.');
    await t.finish(run);
    const { body } = await t.call(thread);
    const ids = (name: string) =>
      new Set(events.filter(({ event }) => event === name).map(({ data }) => data.messageId));
    expect(body.messages.slice(-2).map(({ messageId }: { messageId: string }) => messageId)).toEqual([
      ...ids('commentary.delta'),
      ...ids('message.delta'),
    ]);
  });

  test('has nothing of the reasoning before it', async () => {
    const thoughts = { summary: ['Considering tables.'], content: ['Hm, tables.'] };
    await t.engine.outcome(replies.reasoning(thoughts, 'Three.'));
    const { thread, run } = await t.startRun();
    const events = await readEvents(t, run, { after: '0' });
    expect([textOf(events), textOf(events, 'commentary.delta')]).toEqual(['Three.', '']);
    expect(await replyOf(thread)).toBe('Three.');
  });

  test('has its parts on lines of their own, in events as in the thread', async () => {
    await t.engine.outcome(replies.texts('First part.', 'Second part.'));
    const { thread, run } = await t.startRun();
    const events = await readEvents(t, run, { after: '0' });
    expect(textOf(events)).toBe('First part.\nSecond part.');
    expect(await replyOf(thread)).toBe('First part.\nSecond part.');
  });
});

describe('a prompt that the engine refuses', () => {
  test.each([
    ['azure_content_filter', 'content_filter'],
    ['content_filter', 'content_filter'],
    ['context_length_exceeded', 'context_length_exceeded'],
    ['invalid_prompt', 'invalid_prompt'],
  ] as const)(
    '%s: is the outcome of a run that was created, and its key keeps it',
    async (reason, errorCode) => {
      const thread = await t.openThread();
      await t.engine.reset();
      await t.engine.refuseCreate(reason);
      const created = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
      expect([created.status, created.body.status]).toEqual([201, 'queued']);
      const run = pathOf(created);
      expect((await t.call(run)).body).toMatchObject({
        status: 'failed',
        errorCode,
        errorMessage: expect.any(String),
      });
      const again = await t.createRun(thread, question, { 'Idempotency-Key': 'k' });
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
      expect(await t.engine.calls()).toEqual(['POST /v1/responses']);
      expect((await t.createRun(thread)).status).toBe(201);
    },
  );

  test('is the same when the refusal comes as the first event of a stream', async () => {
    const thread = await t.openThread();
    await t.engine.createErrorEvent('context_length_exceeded');
    const created = await t.createRun(thread);
    expect(created.status).toBe(201);
    const run = pathOf(created);
    expect((await t.call(run)).body.errorCode).toBe('context_length_exceeded');
  });

  test('is not confused with a limit that comes as the first event', async () => {
    const thread = await t.openThread();
    await t.engine.createErrorEvent('rate_limit_exceeded');
    expect((await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).status).toBe(429);
    expect(
      (await t.createRun(thread, question, { 'Idempotency-Key': 'k' })).headers.get('Idempotency-Replayed'),
    ).toBeNull();
  });
});

describe('errorCode', () => {
  test.each([
    [{ status: 'failed', code: 'server_error' }, 'engine_error'],
    [{ status: 'failed', code: 'vector_store_timeout' }, 'engine_error'],
    [{ status: 'failed', code: 'rate_limit_exceeded' }, 'rate_limited'],
    [{ status: 'failed', code: 'insufficient_quota', errorEvent: 'nested' }, 'rate_limited'],
    [{ status: 'failed', code: 'server_error', errorEvent: 'flat' }, 'engine_error'],
    [{ status: 'incomplete', reason: 'max_output_tokens' }, 'max_output_tokens'],
    [{ status: 'incomplete', reason: 'content_filter' }, 'content_filter'],
  ])('of %j is %s, in events and in a get', async (outcome, errorCode) => {
    await t.engine.outcome({ message: 'secret detail', ...outcome });
    await t.engine.timing({ queueMs: 0, runMs: 300 });
    const { run } = await t.startRun();
    const events = await readEvents(t, run);
    expect(events.at(-1)?.data).toMatchObject({ status: 'failed', errorCode });
    expect((await t.call(run)).body.errorCode).toBe(errorCode);
    expect(JSON.stringify(events)).not.toContain('secret detail');
  });
});

describe('a cancel that the engine refuses', () => {
  test('with 409 because the run has completed: 409 run_finished', async () => {
    const { run } = await t.startRun();
    while ((await t.engineRunOf(run))?.status !== 'completed') await scheduler.wait(10);
    await t.engine.refuseCancel(409);
    const response = await t.call(`${run}/cancel`, { method: 'POST' });
    expect([response.status, response.body.code]).toEqual([409, 'run_finished']);
  });

  test('with 409 though the run goes on: 503, and the run stays as it is', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    await t.engine.refuseCancel(409);
    const response = await t.call(`${run}/cancel`, { method: 'POST' });
    expect([response.status, response.body.code]).toEqual([503, 'unavailable']);
    expect((await t.call(run)).body.status).toBe('in_progress');
  });

  test('for good does not keep the thread from being deleted', async () => {
    await t.engine.outcome({ status: 'never' });
    const { thread } = await t.startRun();
    await t.engine.refuseCancel(500, null);
    expect((await t.call(thread, { method: 'DELETE' })).status).toBe(204);
    expect((await t.call(thread)).status).toBe(404);
  });

  test('late, by completing the run all the same, does not undo the recorded end', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 5_000, completeAfterCancelMs: 200 });
    const { run } = await t.startRun();
    const { body } = await t.call(`${run}/cancel`, { method: 'POST' });
    expect(body.status).toBe('cancelled');
    await scheduler.wait(400);
    expect((await t.call(run)).body).toEqual(body);
    const events = await readEvents(t, run, { after: '0' });
    expect(events.at(-1)?.data).toEqual(body);
  });
});

describe('a run whose look-up fails at its deadline', () => {
  test('is cancelled in the engine all the same', async () => {
    await t.stop();
    await t.restart({ RUN_TIMEOUT_SECONDS: '2' });
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    await scheduler.wait(2_100);
    await t.engine.fault({ method: 'GET', path: '/v1/responses/*' }, { kind: 'status', status: 500 }, null);
    expect((await t.call(run)).body).toMatchObject({ status: 'expired', errorCode: 'timed_out' });
    expect((await t.engineRunOf(run))?.status).toBe('cancelled');
    await t.stop();
    await t.restart();
  });
});

describe("a reader of events loses nothing and gets nothing twice when the engine's stream", () => {
  const spoiled = [
    ['breaks between two events', { afterEvents: 12 }],
    ['breaks in the middle of an event', { afterEvents: 12, extraBytes: 40 }],
    ['ends too early', { afterEvents: 12, how: 'end' }],
    ['brings what was told before', { afterEvents: 12, repeat: true }],
    ['begins late', { firstEventMs: 1_000 }],
  ] as const;

  test.each(spoiled)('%s, once', async (_name, fault) => {
    await t.engine.timing({ queueMs: 0, runMs: 1_000 });
    const { thread, run } = await t.startRun();
    await t.engine.spoilStream('resumed', fault);
    if ('repeat' in fault) await t.engine.spoilStream('resumed', { repeat: true });
    const events = await readEvents(t, run);
    expect(statusesOf(events)).toEqual(['queued', 'in_progress', 'completed']);
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('breaks every time after a few more events', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 500 });
    const { thread, run } = await t.startRun();
    await t.engine.spoilStream('resumed', { afterEvents: 20 }, null);
    const events = await readEvents(t, run);
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('cannot be taken up again: the rest comes when the run has ended', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_500 });
    const { thread, run } = await t.startRun();
    await t.engine.spoilStream('resumed', { afterEvents: 12 });
    const reading = readEvents(t, run);
    while (!(await t.engine.calls()).some((call) => call.startsWith('GET'))) await scheduler.wait(10);
    await t.engine.refuseResume(400, null);
    const events = await reading;
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('falls silent: the run is looked up, and what is missing comes', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_000 });
    const { thread, run } = await t.startRun();
    await t.engine.spoilStream('resumed', { afterEvents: 12, how: 'stall' });
    const events = await readEvents(t, run);
    expect(textOf(events)).toBe(await replyOf(thread));
  });
});
