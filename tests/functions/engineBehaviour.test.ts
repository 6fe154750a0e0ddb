import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { readEvents, statusesOf, textOf } from '../support/events.ts';
import { type Answer, startService, type TestService } from '../support/service.ts';

/* What real engines do besides what they are asked, and what becomes of a run then. */

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

const create = (thread: string, headers: Record<string, string> = {}): Promise<Answer> =>
  service.call(`${thread}/runs`, { method: 'POST', body: question, headers });

async function startRun(): Promise<{ thread: string; run: string }> {
  const thread = await service.openThread(projectId);
  const { status, headers } = await create(thread);
  expect(status).toBe(201);
  return { thread, run: (headers.get('Location') ?? '').replace('/api/', '') };
}

const replyOf = async (thread: string): Promise<string> =>
  (await service.call(thread)).body.messages.at(-1).content;

const engineRunOf = async (run: string) =>
  (await service.engine.runs()).find(({ metadata }) => run.endsWith(metadata['runId'] ?? '-'));

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a stream that a create leaves too early', () => {
  test('would strand the run: it is read until the engine works on it', async () => {
    await service.engine.timing({ queueMs: 1_500, runMs: 100 });
    const { run } = await startRun();
    expect(await service.engine.openStreams()).toBe(1);
    expect((await service.finish(run)).body.status).toBe('completed');
    expect(await service.engine.openStreams()).toBe(0);
  });

  test('is taken up again when it breaks while the run is queued', async () => {
    await service.engine.behaviour({ strandDropped: false });
    await service.engine.timing({ queueMs: 1_000, runMs: 100 });
    await service.engine.spoilStream('created', { afterEvents: 1 });
    const { run } = await startRun();
    while ((await service.engine.calls()).filter((call) => call.startsWith('GET')).length === 0)
      await pause(20);
    expect((await service.finish(run)).body.status).toBe('completed');
  });
});

describe('an engine that does not show a run yet', () => {
  test('delays its end and loses nothing', async () => {
    await service.engine.timing({ queueMs: 0, runMs: 100, visibleAfterMs: 2_500 });
    const { thread, run } = await startRun();
    const { body } = await service.call(run);
    expect(['queued', 'in_progress']).toContain(body.status);
    const events = await readEvents(service, run);
    expect(statusesOf(events).at(-1)).toBe('completed');
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('cannot cancel it: 503, and the run stays as it is', async () => {
    await service.engine.outcome({ status: 'never' });
    await service.engine.timing({ visibleAfterMs: 1_500 });
    const { run } = await startRun();
    const early = await service.call(`${run}/cancel`, { method: 'POST' });
    expect([early.status, early.body.code]).toEqual([503, 'unavailable']);
    await pause(1_500);
    expect((await service.call(`${run}/cancel`, { method: 'POST' })).body.status).toBe('cancelled');
  });
});

describe('the text of a reply', () => {
  test('is the refusal, when the model refuses', async () => {
    await service.engine.outcome(replies.refusal('I cannot help with that.'));
    const { thread, run } = await startRun();
    expect(textOf(await readEvents(service, run, { after: '0' }))).toBe('I cannot help with that.');
    await service.finish(run);
    expect(await replyOf(thread)).toBe('I cannot help with that.');
  });

  test('is apart from what is said on the way to it', async () => {
    await service.engine.outcome(replies.commentary('I will look that up.', 'There are three tables.'));
    const { thread, run } = await startRun();
    const events = await readEvents(service, run, { after: '0' });
    expect(textOf(events)).toBe('There are three tables.');
    expect(textOf(events, 'commentary.delta')).toBe('I will look that up.');
    await service.finish(run);
    const { body } = await service.call(thread);
    const ids = (name: string) =>
      new Set(events.filter(({ event }) => event === name).map(({ data }) => data.messageId));
    expect(body.messages.slice(-2).map(({ messageId }: { messageId: string }) => messageId)).toEqual([
      ...ids('commentary.delta'),
      ...ids('message.delta'),
    ]);
  });

  test('has nothing of the reasoning before it', async () => {
    const thoughts = { summary: ['Considering tables.'], content: ['Hm, tables.'] };
    await service.engine.outcome(replies.reasoning(thoughts, 'Three.'));
    const { thread, run } = await startRun();
    const events = await readEvents(service, run, { after: '0' });
    expect([textOf(events), textOf(events, 'commentary.delta')]).toEqual(['Three.', '']);
    expect(await replyOf(thread)).toBe('Three.');
  });

  test('has its parts on lines of their own, in events as in the thread', async () => {
    await service.engine.outcome(replies.texts('First part.', 'Second part.'));
    const { thread, run } = await startRun();
    const events = await readEvents(service, run, { after: '0' });
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
      const thread = await service.openThread(projectId);
      await service.engine.reset();
      await service.engine.refuseCreate(reason);
      const created = await create(thread, { 'Idempotency-Key': 'k' });
      expect([created.status, created.body.status]).toEqual([201, 'queued']);
      const run = (created.headers.get('Location') ?? '').replace('/api/', '');
      expect((await service.call(run)).body).toMatchObject({
        status: 'failed',
        errorCode,
        errorMessage: expect.any(String),
      });
      const again = await create(thread, { 'Idempotency-Key': 'k' });
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
      expect(await service.engine.calls()).toEqual(['POST /v1/responses']);
      expect((await create(thread)).status).toBe(201);
    },
  );

  test('is the same when the refusal comes as the first event of a stream', async () => {
    const thread = await service.openThread(projectId);
    await service.engine.createErrorEvent('context_length_exceeded');
    const created = await create(thread);
    expect(created.status).toBe(201);
    const run = (created.headers.get('Location') ?? '').replace('/api/', '');
    expect((await service.call(run)).body.errorCode).toBe('context_length_exceeded');
  });

  test('is not confused with a limit that comes as the first event', async () => {
    const thread = await service.openThread(projectId);
    await service.engine.createErrorEvent('rate_limit_exceeded');
    expect((await create(thread, { 'Idempotency-Key': 'k' })).status).toBe(429);
    expect((await create(thread, { 'Idempotency-Key': 'k' })).headers.get('Idempotency-Replayed')).toBeNull();
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
    await service.engine.outcome({ message: 'secret detail', ...outcome });
    await service.engine.timing({ queueMs: 0, runMs: 300 });
    const { run } = await startRun();
    const events = await readEvents(service, run);
    expect(events.at(-1)?.data).toMatchObject({ status: 'failed', errorCode });
    expect((await service.call(run)).body.errorCode).toBe(errorCode);
    expect(JSON.stringify(events)).not.toContain('secret detail');
  });
});

describe('a cancel that the engine refuses', () => {
  test('with 409 because the run has completed: 409 run_finished', async () => {
    const { run } = await startRun();
    while ((await engineRunOf(run))?.status !== 'completed') await pause(10);
    await service.engine.refuseCancel(409);
    const answer = await service.call(`${run}/cancel`, { method: 'POST' });
    expect([answer.status, answer.body.code]).toEqual([409, 'run_finished']);
  });

  test('with 409 though the run goes on: 503, and the run stays as it is', async () => {
    await service.engine.outcome({ status: 'never' });
    const { run } = await startRun();
    await service.engine.refuseCancel(409);
    const answer = await service.call(`${run}/cancel`, { method: 'POST' });
    expect([answer.status, answer.body.code]).toEqual([503, 'unavailable']);
    expect((await service.call(run)).body.status).toBe('in_progress');
  });

  test('for good does not keep the thread from being deleted', async () => {
    await service.engine.outcome({ status: 'never' });
    const { thread } = await startRun();
    await service.engine.refuseCancel(500, null);
    expect((await service.call(thread, { method: 'DELETE' })).status).toBe(204);
    expect((await service.call(thread)).status).toBe(404);
  });

  test('late, by completing the run all the same, does not undo the recorded end', async () => {
    await service.engine.timing({ queueMs: 0, runMs: 5_000, completeAfterCancelMs: 200 });
    const { run } = await startRun();
    const { body } = await service.call(`${run}/cancel`, { method: 'POST' });
    expect(body.status).toBe('cancelled');
    await pause(400);
    expect((await service.call(run)).body).toEqual(body);
    const events = await readEvents(service, run, { after: '0' });
    expect(events.at(-1)?.data).toEqual(body);
  });
});

describe('a run whose look-up fails at its deadline', () => {
  test('is cancelled in the engine all the same', async () => {
    await service.stop();
    await service.restart({ RUN_TIMEOUT_SECONDS: '2' });
    await service.engine.outcome({ status: 'never' });
    const { run } = await startRun();
    await pause(2_100);
    await service.engine.fault(
      { method: 'GET', path: '/v1/responses/*' },
      { kind: 'status', status: 500 },
      null,
    );
    expect((await service.call(run)).body).toMatchObject({ status: 'expired', errorCode: 'timed_out' });
    expect((await engineRunOf(run))?.status).toBe('cancelled');
    await service.stop();
    await service.restart();
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
    await service.engine.timing({ queueMs: 0, runMs: 1_000 });
    const { thread, run } = await startRun();
    await service.engine.spoilStream('resumed', fault);
    if ('repeat' in fault) await service.engine.spoilStream('resumed', { repeat: true });
    const events = await readEvents(service, run);
    expect(statusesOf(events)).toEqual(['queued', 'in_progress', 'completed']);
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('breaks every time after a few more events', async () => {
    await service.engine.timing({ queueMs: 0, runMs: 500 });
    const { thread, run } = await startRun();
    await service.engine.spoilStream('resumed', { afterEvents: 20 }, null);
    const events = await readEvents(service, run);
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('cannot be taken up again: the rest comes when the run has ended', async () => {
    await service.engine.timing({ queueMs: 0, runMs: 1_500 });
    const { thread, run } = await startRun();
    await service.engine.spoilStream('resumed', { afterEvents: 12 });
    const reading = readEvents(service, run);
    while (!(await service.engine.calls()).some((call) => call.startsWith('GET'))) await pause(10);
    await service.engine.refuseResume(400, null);
    const events = await reading;
    expect(textOf(events)).toBe(await replyOf(thread));
  });

  test('falls silent: the run is looked up, and what is missing comes', async () => {
    await service.engine.timing({ queueMs: 0, runMs: 1_000 });
    const { thread, run } = await startRun();
    await service.engine.spoilStream('resumed', { afterEvents: 12, how: 'stall' });
    const events = await readEvents(service, run);
    expect(textOf(events)).toBe(await replyOf(thread));
  });
});
