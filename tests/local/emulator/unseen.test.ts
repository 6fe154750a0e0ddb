import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import {
  cleanups,
  collect,
  idOf,
  model,
  type Summary,
  start,
  startRun,
  streamRun,
  until,
  untilEnded,
} from '../../support/emulator.ts';

describe('a response whose stream is left while it is queued', () => {
  test('stays queued with its conversation locked until it is cancelled', async () => {
    const { client, control } = await start({ queueMs: 1000 });
    const { conversation, stream } = await streamRun(client);
    const id = idOf((await collect(stream, 1))[0]);
    await until(async () => (await control<{ open: number }>('GET', 'streams')).open === 0);
    await control('PATCH', 'timing', { queueMs: 0 });
    // One that was created later and left in time for nothing has long ended.
    await scheduler.wait(1100);
    expect((await client.responses.retrieve(id)).status).toBe('queued');
    const second = { model, input: 'Me too', background: true, conversation };
    await expect(client.responses.create(second)).rejects.toMatchObject({ code: 'conversation_locked' });
    const types = await streamFor(300, await client.responses.retrieve(id, { stream: true }));
    expect(types).toEqual(['response.created', 'response.queued']);
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
    expect((await client.responses.create(second)).status).toBe('queued');
  });

  test('shows no more to those who follow it elsewhere', async () => {
    const { client } = await start({ queueMs: 1_500 });
    const { stream } = await streamRun(client);
    const iterator = stream[Symbol.asyncIterator]();
    const id = idOf((await iterator.next()).value);
    const following = streamFor(2_000, await client.responses.retrieve(id, { stream: true }));
    await iterator.return?.();
    expect(await following).toEqual(['response.created', 'response.queued']);
  });

  test('goes on when stranding is switched off, or when it was in progress', async () => {
    const { client, control } = await start({ queueMs: 50, runMs: 100 });
    const left = idOf((await collect((await streamRun(client)).stream, 3))[0]);
    expect((await untilEnded(client, left)).status).toBe('completed');
    await control('PATCH', 'behaviour', { strandDropped: false });
    const early = idOf((await collect((await streamRun(client)).stream, 1))[0]);
    expect((await untilEnded(client, early)).status).toBe('completed');
  });

  test('is stranded by a lost response too, but not by a create without a stream', async () => {
    const { client, control } = await start({ queueMs: 100 });
    const fault = { kind: 'drop_after' };
    for (const streams of [true, false]) {
      await control('POST', 'faults', { match: { method: 'POST', path: '/v1/responses' }, fault });
      await expect(streams ? streamRun(client) : startRun(client)).rejects.toThrow();
    }
    const statuses = async () => (await control<Summary[]>('GET', 'responses')).map(({ status }) => status);
    await until(async () => (await statuses())[1] === 'completed');
    expect(await statuses()).toEqual(['queued', 'completed']);
  });

  test('is not stranded by the end of the emulator itself', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'emulator-'));
    cleanups.push(() => rmSync(dataDir, { recursive: true }));
    const first = await start({ dataDir, queueMs: 500 });
    const { stream } = await streamRun(first.client);
    const { value } = await stream[Symbol.asyncIterator]().next();
    await first.emulator.close();
    // Closed connections are noticed a moment after the server's own end.
    await scheduler.wait(50);
    const second = await start({ dataDir });
    expect((await untilEnded(second.client, idOf(value))).status).toBe('completed');
  });

  async function streamFor(
    ms: number,
    stream: AsyncIterable<{ type: string }> & { controller: AbortController },
  ) {
    setTimeout(() => stream.controller.abort(), ms);
    const types: string[] = [];
    for await (const { type } of stream) types.push(type);
    return types;
  }
});

describe('a streamed response that is not visible yet', () => {
  test('answers 404 to looks, streams and cancels, and then is there', async () => {
    const { client, control } = await start({ runMs: 60_000 });
    await control('PATCH', 'timing', { visibleAfterMs: 60_000 });
    const { stream } = await streamRun(client);
    const [created] = await collect(stream, 3);
    const id = idOf(created);
    const missing = { status: 404, type: 'invalid_request_error' };
    await expect(client.responses.retrieve(id)).rejects.toMatchObject(missing);
    await expect(client.responses.retrieve(id, { stream: true })).rejects.toMatchObject(missing);
    await expect(client.responses.cancel(id)).rejects.toMatchObject(missing);
    expect((await client.responses.retrieve((await startRun(client)).response.id)).status).toBe(
      'in_progress',
    );

    await control('PATCH', 'timing', { visibleAfterMs: 1000 });
    const next = idOf((await collect((await streamRun(client)).stream, 3))[0]);
    const look = () => client.responses.retrieve(next).catch(({ status }) => ({ status }));
    expect((await look()).status).toBe(404);
    await until(async () => (await look()).status === 'in_progress');
  });
});

describe('a response that is forgotten while it runs', () => {
  test('answers 404, ends its streams and still appends to its conversation', async () => {
    const { client, control } = await start({ runMs: 1_500 });
    const { conversation, stream } = await streamRun(client);
    const types: string[] = [];
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === 'response.created')
        await control('POST', 'forget', { responseId: event.response.id });
    }
    expect(types).not.toContain('response.completed');
    const [{ id = '' } = {}] = await control<Summary[]>('GET', 'responses');
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
    await until(async () => (await client.conversations.items.list(conversation)).data.length === 2);
  });
});

test('the list of responses tells how often a run was created', async () => {
  const { client, control } = await start();
  for (const runId of ['run_1', 'run_2', 'run_1'])
    await collect((await streamRun(client, undefined, { runId })).stream);
  const listed = await control<Summary[]>('GET', 'responses');
  expect(listed.map(({ responsesOfRun }) => responsesOfRun)).toEqual([2, 1, 2]);
  for (const { createdAtMs, endedAtMs } of listed)
    expect(createdAtMs).toBeLessThanOrEqual(endedAtMs ?? Number.NaN);
});

test.each([
  ['timing', { queueMs: -1 }],
  ['timing', { soonMs: 1 }],
  ['timing', { queueMs: null }],
  ['behaviour', { strandDropped: 1 }],
  ['behaviour', { kind: true }],
])('a change of %s to %j is refused', async (what, change) => {
  const { control } = await start();
  await expect(control('PATCH', what, change)).rejects.toThrow('400');
});

test('changed settings go back to those of the start', async () => {
  const { control } = await start({ queueMs: 5 });
  const initial = await control('PATCH', 'timing', {});
  await control('PATCH', 'timing', { queueMs: 70, completeAfterCancelMs: 10 });
  await control('PATCH', 'behaviour', { strandDropped: false });
  await control('DELETE', 'settings');
  expect(await control('PATCH', 'timing', {})).toEqual(initial);
  expect(await control('PATCH', 'behaviour', {})).toEqual({
    strandDropped: true,
    appendInput: 'completion',
    refuseDownloads: false,
    keepDeletedFiles: false,
  });
});
