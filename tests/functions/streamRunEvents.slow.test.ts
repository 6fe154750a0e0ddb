import { describe, expect, test } from '@jest/globals';
import {
  type Event,
  readEvents as readRunEvents,
  statusesOf as statuses,
  textOf as text,
} from '../support/events.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

const t = useService();

const readEvents = (run: string, options?: Parameters<typeof readRunEvents>[2]) =>
  readRunEvents(t, run, options);

describe('live events', () => {
  test('tell the run on every change and the reply as it is written, and end with the finished run', async () => {
    await t.engine.timing({ queueMs: 200, runMs: 500 });
    const { thread, run } = await t.startRun();
    const events = await readEvents(run);
    expect(statuses(events)).toEqual(['queued', 'in_progress', 'completed']);
    expect(events.at(-1)).toMatchObject({ id: 'end', event: 'run' });
    const { body } = await t.call(thread);
    expect(text(events)).toBe(body.messages.at(-1).content);
    expect(events.at(-1)?.data).toEqual((await t.call(run)).body);
  });

  test('cost the engine no call while the stream of the create is read', async () => {
    await t.engine.timing({ queueMs: 60_000 });
    const { run } = await t.startRun();
    await t.engine.reset();
    await readEvents(run, { enough: (events) => events.length === 1 });
    expect(await t.engine.calls()).toEqual([]);
    await t.call(`${run}/cancel`, { method: 'POST' });
  });

  test('cost the engine one call after that', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_000 });
    const { run } = await t.startRun();
    await until('the create has left its stream', async () => (await t.engine.openStreams()) === 0);
    await t.engine.reset();
    await readEvents(run);
    // Another test's feed may still read its own run.
    const engineRun = await t.engineRunOf(run);
    const ownCalls = (await t.engine.calls()).filter((call) => call.includes(`${engineRun?.id}`));
    expect(ownCalls).toHaveLength(1);
  });

  test('go on after Last-Event-ID without loss or repetition, wherever the client left', async () => {
    await t.engine.timing({ queueMs: 100, runMs: 1_500 });
    const { thread, run } = await t.startRun();
    const all: Event[] = [];
    const sizes = [1, 2, 7, 20];
    while (all.at(-1)?.id !== 'end') {
      const size = sizes.shift() ?? Number.POSITIVE_INFINITY;
      const after = all.at(-1)?.id;
      const events = await readEvents(run, {
        ...(after !== undefined && { after }),
        enough: (sofar) => sofar.length >= size,
      });
      all.push(...events);
    }
    expect(statuses(all)).toEqual(['queued', 'in_progress', 'completed']);
    const { body } = await t.call(thread);
    expect(text(all)).toBe(body.messages.at(-1).content);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });

  test('tell a client that comes back to another worker what has changed since', async () => {
    await t.engine.timing({ queueMs: 300, runMs: 60_000 });
    const { run } = await t.startRun();
    await readEvents(run, { enough: (events) => events.length === 1 });
    while ((await t.call(run)).body.status === 'queued');
    await t.kill();
    await t.restart();
    const events = await readEvents(run, { after: '0', enough: (all) => text(all) !== '' });
    expect(statuses(events)).toEqual(['in_progress']);
    await t.call(`${run}/cancel`, { method: 'POST' });
  });

  test('give a client that comes back after the end what it missed', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 400 });
    const { thread, run } = await t.startRun();
    const before = await readEvents(run, { enough: (events) => text(events) !== '' });
    await t.finish(run);
    const after = await readEvents(run, { after: before.at(-1)?.id ?? '' });
    const { body } = await t.call(thread);
    expect(text([...before, ...after])).toBe(body.messages.at(-1).content);
    expect(after.at(-1)).toMatchObject({ id: 'end', data: { status: 'completed' } });
  });

  test('repeat nothing to a client that moves to a worker that cannot read the stream', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_000 });
    const { thread, run } = await t.startRun();
    const before = await readEvents(run, { enough: (events) => events.length >= 8 });
    await t.kill();
    await t.restart();
    await t.engine.refuseResume(400, null);
    const after = await readEvents(run, { after: before.at(-1)?.id ?? '' });
    expect(text(before)).not.toBe('');
    const { body } = await t.call(thread);
    expect(text([...before, ...after])).toBe(body.messages.at(-1).content);
    expect(after.at(-1)).toMatchObject({ id: 'end', data: { status: 'completed' } });
  });

  test('give all of the reply to a client that resumes after somebody else recorded the end', async () => {
    const { thread, run } = await t.startRun();
    await t.finish(run);
    const events = await readEvents(run, { after: '0' });
    const { body } = await t.call(thread);
    expect(text(events)).toBe(body.messages.at(-1).content);
    expect(events.at(-1)).toMatchObject({ id: 'end', data: { status: 'completed' } });
  });

  test('give all of the reply to a client that connects while the run is being submitted', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 200 });
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 1_000 });
    const thread = await t.openThread();
    const creating = t.call(`${thread}/runs`, {
      method: 'POST',
      body: { message: 'Explain the database schema' },
    });
    let { body } = await t.call(`${thread}/runs`);
    while (body.runs.length === 0) ({ body } = await t.call(`${thread}/runs`));
    const events = await readEvents(`${thread}/runs/${body.runs[0].runId}`);
    await creating;
    expect(statuses(events)).toEqual(['queued', 'in_progress', 'completed']);
    expect(text(events)).toBe((await t.call(thread)).body.messages.at(-1).content);
  });

  test('of one run cost one stream of the engine, however many read them', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 3_000 });
    const { thread, run } = await t.startRun();
    await t.engine.reset();
    // From the start, also for one that connects only when the run has ended.
    const all = await Promise.all(Array.from({ length: 50 }, () => readEvents(run, { after: '0' })));
    // Another test's feed may still read its own run.
    const engineRun = await t.engineRunOf(run);
    const ownCalls = (await t.engine.calls()).filter((call) => call.includes(`${engineRun?.id}`));
    expect(ownCalls).toHaveLength(1);
    const { body } = await t.call(thread);
    for (const events of all) expect(text(events)).toBe(body.messages.at(-1).content);
  });

  test('read the thread before there is text, so that the first piece does not wait for the store', async () => {
    await t.engine.timing({ queueMs: 60_000 });
    const { run } = await t.startRun();
    let isRead = false;
    const before = async () => {
      isRead = true;
    };
    t.store.inject({ kind: 'read', row: 'thread' }, { before });
    const reading = new AbortController();
    const stream = await fetch(`${t.url}/api/${run}/events`, {
      headers: { Authorization: `Bearer ${await t.issuer.sign({ projects: [t.projectId] })}` },
      signal: reading.signal,
    });
    try {
      expect(stream.status).toBe(200);
      await until('the thread is read', () => isRead);
    } finally {
      reading.abort();
    }
    expect((await t.call(run)).body.status).toBe('queued');
    await t.call(`${run}/cancel`, { method: 'POST' });
  });

  test('name the message that a piece belongs to by its id in the thread', async () => {
    const { thread, run } = await t.startRun();
    const deltas = (await readEvents(run, { after: '0' })).filter(({ event }) => event === 'message.delta');
    const { body } = await t.call(thread);
    expect(new Set(deltas.map(({ data }) => data.messageId))).toEqual(
      new Set([body.messages.at(-1).messageId]),
    );
  });

  test('of a finished run are its end; whoever has seen it is told not to come back', async () => {
    const { run } = await t.startRun();
    const finished = await t.finish(run);
    const events = await readEvents(run);
    expect(events).toEqual([{ id: 'end', event: 'run', data: finished.body }]);
    const response = await t.call(`${run}/events`, { headers: { 'Last-Event-ID': 'end' } });
    expect([response.status, response.text]).toEqual([204, '']);
  });

  test.each([
    [{ status: 'failed', code: 'server_error', message: 'secret detail' }, 'failed'],
    [{ status: 'incomplete', reason: 'max_output_tokens' }, 'failed'],
  ])('end with the run however it ends: %j', async (outcome, status) => {
    await t.engine.outcome(outcome);
    await t.engine.timing({ queueMs: 50, runMs: 100 });
    const { run } = await t.startRun();
    const events = await readEvents(run);
    expect(events.at(-1)).toMatchObject({ id: 'end', event: 'run', data: { status } });
    expect(JSON.stringify(events)).not.toContain('secret detail');
  });

  test('end with a run that is cancelled meanwhile', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    const reading = readEvents(run);
    while ((await t.engine.openStreams()) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await t.call(`${run}/cancel`, { method: 'POST' });
    expect((await reading).at(-1)).toMatchObject({ id: 'end', data: { status: 'cancelled' } });
  });

  test('go on with looks when the stream cannot be taken up', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_200 });
    const { run } = await t.startRun();
    await t.engine.fault({ method: 'GET', path: '/v1/responses/*' }, { kind: 'drop' });
    expect(statuses(await readEvents(run)).at(-1)).toBe('completed');
  });

  test('stop their work when the client goes away', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    await readEvents(run, { enough: (events) => statuses(events).includes('in_progress') });
    while ((await t.engine.openStreams()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('of runs that are not there or not ours are answered as a get does', async () => {
    const { thread } = await t.startRun();
    expect((await t.call(`${thread}/runs/run_nosuch/events`)).body.code).toBe('run_not_found');
    expect((await t.call(`${thread}/runs/run_a/events`, { token: null })).status).toBe(401);
    const other = await t.addProject();
    const token = await t.issuer.sign({ projects: [other.projectId] });
    expect((await t.call(`${thread}/runs/run_a/events`, { token })).status).toBe(403);
  });

  test.each(['x', '-1', '1-', '1.5', '1-2-3', '9999999999'])(
    'answer 400 for Last-Event-ID: %s',
    async (id) => {
      const { run } = await t.startRun();
      const response = await t.call(`${run}/events`, { headers: { 'Last-Event-ID': id } });
      expect([response.status, Object.keys(response.body.errors)]).toEqual([400, ['Last-Event-ID']]);
    },
  );
});

describe('a response with live events', () => {
  const open = async (run: string, claims = {}) =>
    fetch(`${t.url}/api/${run}/events`, {
      headers: { Authorization: `Bearer ${await t.issuer.sign({ projects: [t.projectId], ...claims })}` },
      signal: AbortSignal.timeout(25_000),
    });

  test('ends when its time is up, and the client resumes until the run ends', async () => {
    await t.stop();
    await t.restart({ EVENT_STREAM_SECONDS: '1' });
    try {
      await t.engine.timing({ queueMs: 0, runMs: 3_500 });
      const { thread, run } = await t.startRun();
      const all: Event[] = [];
      let responses = 0;
      while (all.at(-1)?.id !== 'end') {
        const after = all.at(-1)?.id;
        all.push(...(await readEvents(run, after === undefined ? {} : { after })));
        responses++;
      }
      expect(responses).toBeGreaterThan(2);
      expect(statuses(all)).toEqual(['queued', 'in_progress', 'completed']);
      expect(text(all)).toBe((await t.call(thread)).body.messages.at(-1).content);
      await t.idle();
    } finally {
      await t.stop();
      await t.restart();
    }
  });

  test('ends with the token, and the next request is told so', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    const exp = Math.floor(Date.now() / 1000) + 3;
    const response = await open(run, { exp });
    expect(response.status).toBe(200);
    await response.text();
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
    const token = await t.issuer.sign({ projects: [t.projectId], exp });
    expect((await t.call(run, { token })).body.code).toBe('token_expired');
    await t.idle();
  });

  test('leaves no invocation and no stream of the engine when many clients vanish', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const response = await open(run);
        const reader = response.body?.getReader();
        if (index % 2) await reader?.read();
        await reader?.cancel();
      }),
    );
    await t.idle();
    while ((await t.engine.openStreams()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await t.hostStatus()).workerStarts).toBe(1);
  });
});

describe('streaming in the runtime', () => {
  test("a body's `Headers`, `projectId` or `threadId` replaces nothing of the request", async () => {
    const thread = await t.openThread();
    const created = await t.call(`${thread}/runs`, {
      method: 'POST',
      body: {
        message: 'Explain the database schema',
        Headers: { authorization: 'Bearer forged' },
        projectId: 'other',
        threadId: 'thread_other',
      },
      headers: { 'Idempotency-Key': 'k' },
    });
    expect(created.status).toBe(201);
    expect(created.headers.get('Location')).toContain(`/api/${thread}/runs/`);
    const forged = await t.call(`${thread}/runs`, {
      method: 'POST',
      token: null,
      body: {
        message: 'x',
        Headers: { authorization: `Bearer ${await t.issuer.sign({ projects: [t.projectId] })}` },
      },
    });
    expect(forged.status).toBe(401);
  });
});
