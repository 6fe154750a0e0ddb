import { beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { newId } from '../../shared/model/ids.ts';
import { createThreadStore, type ThreadStore } from '../../shared/storage/threadStore.ts';
import { readEvents } from '../support/events.ts';
import { idOf } from '../support/paths.ts';
import { insertRows, proxiedThreadsTable, rowsOf } from '../support/table.ts';
import { question, useService } from '../support/useService.ts';

/* The labels that clients give threads and runs: what shows them, what they are filtered by, and what must not lose them. */

const t = useService();
let threads: ThreadStore;
let list: string;
beforeAll(async () => {
  const table = await proxiedThreadsTable(t.store.port);
  threads = createThreadStore(async () => table);
});
beforeEach(async () => {
  await t.changeProject();
  list = `projects/${t.projectId}/threads`;
  // A worker remembers a project for a while: its read is not to be counted.
  await t.call(list);
  t.store.reset();
});

const patch = (path: string, metadata: unknown) => t.call(path, { method: 'PATCH', body: { metadata } });

async function labelled(path: string, metadata: Record<string, string>): Promise<void> {
  const { status, body } = await patch(path, metadata);
  expect([status, body.metadata]).toEqual([200, metadata]);
}

/** The metadata that a list of threads shows of its only one. */
const listedMetadata = async () => (await t.call(list)).body.threads[0]?.metadata;

const labels = { customer: 'customer 4711', channel: 'chat' };

describe('metadata', () => {
  test('of a thread is shown by its change, a read and a list, and replaced as a whole', async () => {
    const thread = await t.openThread();
    const { body } = await t.call(thread);
    expect(body).not.toHaveProperty('metadata');
    const changed = await patch(thread, labels);
    const { threadId, projectId, createdAt } = body;
    expect(changed.body).toEqual({ threadId, projectId, createdAt, metadata: labels });
    expect((await t.call(thread)).body.metadata).toEqual(labels);
    expect(await listedMetadata()).toEqual(labels);
    await labelled(thread, { other: 'x' });
    expect((await t.call(thread)).body.metadata).toEqual({ other: 'x' });
    expect(await listedMetadata()).toEqual({ other: 'x' });
    for (const none of [{}, null]) {
      await labelled(thread, labels);
      expect((await patch(thread, none)).body).not.toHaveProperty('metadata');
      expect((await t.call(thread)).body).not.toHaveProperty('metadata');
      expect(await listedMetadata()).toBeUndefined();
    }
  });

  test('of a run is shown by its create, a get, a list and events, and can change after its end', async () => {
    const { thread, run } = await t.startRun(undefined, { body: { ...question, metadata: labels } });
    const finished = await t.finish(run);
    expect(finished.body).toMatchObject({ status: 'completed', metadata: labels });
    expect((await t.call(`${thread}/runs`)).body.runs).toEqual([finished.body]);
    expect((await readEvents(t, run)).at(-1)?.data).toEqual(finished.body);

    const changed = await patch(run, { other: 'x' });
    expect([changed.status, changed.body]).toEqual([200, { ...finished.body, metadata: { other: 'x' } }]);
    const headers = { 'If-None-Match': finished.headers.get('ETag') ?? '' };
    const read = await t.call(run, { headers });
    expect([read.status, read.body]).toEqual([200, changed.body]);
    expect((await readEvents(t, run)).at(-1)?.data).toEqual(changed.body);
    expect((await patch(run, null)).body).not.toHaveProperty('metadata');
    expect((await t.call(run)).body).not.toHaveProperty('metadata');
  });

  test('of a create is in its response, and nothing of it reaches the engine', async () => {
    const thread = await t.openThread();
    const { body } = await t.createRun(thread, { ...question, metadata: labels });
    expect(body).toMatchObject({ status: 'queued', metadata: labels });
    const asked = await t.engineRunOf(body.runId);
    expect(Object.keys(asked?.metadata ?? {}).toSorted()).toEqual(['projectId', 'runId', 'threadId']);
    expect(JSON.stringify(asked)).not.toContain('customer 4711');
    for (const none of [{}, null]) {
      await t.finish(`${thread}/runs/${body.runId}`);
      const other = await t.createRun(await t.openThread(), { ...question, metadata: none });
      expect([other.status, 'metadata' in other.body]).toEqual([201, false]);
    }
  });

  test('keeps the largest and the strangest labels as they are', async () => {
    const { thread, run } = await t.startRun();
    const largest = (character: string) =>
      Object.fromEntries(
        Array.from({ length: 16 }, (_, index) => [
          String.fromCodePoint(0x41 + index) + character.repeat(63),
          character.repeat(512),
        ]),
      );
    const strange = JSON.parse(`{"__proto__":"a","constructor":"b","":"c"," ":"","PartitionKey":"d"}`);
    delete strange[''];
    for (const metadata of [...['\u0001', '"', '😀', '漢', '\u2028'].map(largest), strange]) {
      for (const path of [thread, run]) {
        const { status, text } = await patch(path, metadata);
        expect([status, JSON.parse(text).metadata]).toEqual([200, metadata]);
        expect((await t.call(path)).body.metadata).toEqual(metadata);
      }
      expect(await listedMetadata()).toEqual(metadata);
    }
    expect(Object.hasOwn(await listedMetadata(), '__proto__')).toBe(true);
  });

  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']));
  test.each<[string, unknown, string]>([
    ['17 pairs', many(17), 'The field Metadata must have at most 16 pairs.'],
    [
      'a key of 65 characters',
      { ['k'.repeat(65)]: '' },
      'The field Metadata must have keys of 1 to 64 characters.',
    ],
    ['an empty key', { '': 'v' }, 'The field Metadata must have keys of 1 to 64 characters.'],
    [
      'a value of 513 characters',
      { k: 'v'.repeat(513) },
      'The field Metadata must have strings of at most 512 characters as values.',
    ],
    ['a number', { k: 1 }, 'The field Metadata must have strings of at most 512 characters as values.'],
    [
      'a value of null',
      { k: null },
      'The field Metadata must have strings of at most 512 characters as values.',
    ],
    ['half a character', { k: '\ud83d' }, 'The field Metadata must be well-formed Unicode text.'],
    ['a list', ['x'], 'The field Metadata must be an object.'],
    ['text', 'x', 'The field Metadata must be an object.'],
    ['nothing', undefined, 'The Metadata field is required.'],
  ])('cannot hold %s', async (_name, metadata, error) => {
    const { thread, run } = await t.startRun();
    const bodies = [await patch(thread, metadata), await patch(run, metadata)];
    if (metadata !== undefined) {
      bodies.push(await t.createRun(await t.openThread(), { ...question, metadata }));
    }
    for (const { status, body } of bodies)
      expect([status, body.errors]).toEqual([400, { Metadata: [error] }]);
  });

  test('is part of the request that an Idempotency-Key stands for, in any order', async () => {
    const thread = await t.openThread();
    const headers = { 'Idempotency-Key': 'k' };
    const create = (metadata: unknown) => t.createRun(thread, { ...question, metadata }, headers);
    const first = await create({ a: '1', b: '2' });
    const again = await create({ b: '2', a: '1' });
    expect([again.status, again.body.runId]).toEqual([201, first.body.runId]);
    for (const other of [{ a: '1' }, { a: '1', b: '3' }, null]) {
      expect((await create(other)).body.code).toBe('idempotency_mismatch');
    }
  });

  test.each(['thread_nosuch', 'thread_nosuch/runs/run_nosuch'])('of %s cannot change', async (path) => {
    const { status, body } = await patch(`${list}/${path}`, labels);
    expect([status, body.code]).toEqual([404, 'thread_not_found']);
  });

  test('of a deleted thread and its runs cannot change, and leaves nothing behind', async () => {
    const { thread, run } = await t.startRun();
    await labelled(thread, labels);
    await labelled(run, labels);
    await t.call(thread, { method: 'DELETE' });
    expect((await patch(thread, labels)).status).toBe(404);
    expect((await patch(run, labels)).status).toBe(404);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('costs the reads and creates that show it no round trip', async () => {
    const thread = await t.openThread();
    await labelled(thread, labels);
    t.store.reset();
    const { body } = await t.createRun(thread, { ...question, metadata: labels });
    expect(t.store.roundTrips).toEqual(['read', 'transaction', 'merge']);
    await t.finish(`${thread}/runs/${body.runId}`);
    t.store.reset();
    await t.call(`${thread}/runs/${body.runId}`);
    await t.call(thread);
    await t.call(list);
    // The run; the thread, with the run of its reply and the runs before; the list.
    expect(t.store.roundTrips).toEqual(['read', 'read', 'read', 'query', 'query']);
  });
});

describe('a change of the metadata of a run', () => {
  const other = { other: 'x' };

  test('between its submission and its record loses neither', async () => {
    const thread = await t.openThread();
    let changed = Promise.resolve();
    const before = async () => {
      const [row] = (await rowsOf(t.projectId)).filter(({ rowKey }) => String(rowKey).startsWith('run_'));
      changed = labelled(`${thread}/runs/${row?.['rowKey']}`, other);
      await changed;
    };
    t.store.inject({ kind: 'merge', row: 'run' }, { before });
    const { status, body } = await t.createRun(thread, { ...question, metadata: labels });
    expect([status, body.metadata]).toEqual([201, labels]);
    await changed;
    const finished = await t.finish(`${thread}/runs/${body.runId}`);
    expect(finished.body).toMatchObject({ status: 'completed', metadata: other });
  });

  test('while the engine rejects it keeps neither its thread nor its key', async () => {
    const thread = await t.openThread();
    let run = '';
    const before = async () => {
      const [row] = (await rowsOf(t.projectId)).filter(({ rowKey }) => String(rowKey).startsWith('run_'));
      run = `${thread}/runs/${row?.['rowKey']}`;
      for (let changes = 0; changes < 3; changes++) await labelled(run, { change: `${changes}` });
    };
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'status', status: 429 });
    // The first transaction is the claim.
    t.store.inject({ kind: 'transaction', row: 'key' }, { before: async () => undefined });
    t.store.inject({ kind: 'transaction', row: 'key' }, { before });
    const headers = { 'Idempotency-Key': 'k' };
    expect((await t.createRun(thread, question, headers)).status).toBe(429);
    expect((await t.call(run)).body).toMatchObject({
      ...{ status: 'failed', errorCode: 'rate_limited', metadata: { change: '2' } },
    });
    const again = await t.createRun(thread, question, headers);
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
  });

  test('at the moment of its end leaves the end as it is', async () => {
    const { thread, run } = await t.startRun();
    t.store.inject({ kind: 'merge', row: 'run' }, { before: () => t.finish(run) });
    await labelled(run, other);
    const { body } = await t.call(run);
    expect(body).toMatchObject({ status: 'completed', metadata: other });
    expect((await t.call(thread)).body.activeRunId).toBeNull();
  });

  test('that comes just before its end is recorded loses neither', async () => {
    const { thread, run } = await t.startRun();
    t.store.inject({ kind: 'transaction', row: 'run' }, { before: () => labelled(run, other) });
    expect((await t.finish(run)).body).toMatchObject({ status: 'completed', metadata: other });
    expect((await t.call(thread)).body.activeRunId).toBeNull();
  });

  test('and many more at once leave one of them, and the run to its end', async () => {
    await t.engine.timing({ queueMs: 50, runMs: 1_000 });
    const { run } = await t.startRun();
    const events = readEvents(t, run);
    const sent = Array.from({ length: 20 }, (_, index) => ({ change: `${index}` }));
    await Promise.all(sent.map((metadata) => labelled(run, metadata)));
    const { body } = await t.finish(run);
    expect(body.status).toBe('completed');
    expect(sent).toContainEqual(body.metadata);
    expect((await events).at(-1)?.data).toEqual(body);
  });

  test('is in the last event of those who follow the run', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 1_500 });
    const { run } = await t.startRun();
    const events = readEvents(t, run);
    await labelled(run, other);
    expect((await events).at(-1)?.data).toMatchObject({ status: 'completed', metadata: other });
  });
});

describe('a change of the metadata of a thread', () => {
  const other = { other: 'x' };

  test('and a create at once both succeed', async () => {
    const thread = await t.openThread();
    let changes = 0;
    const before = () => labelled(thread, { change: `${changes++}` });
    t.store.inject({ kind: 'transaction', row: 'thread' }, { before }, 5);
    const { status, body } = await t.createRun(thread);
    expect(status).toBe(201);
    await t.finish(`${thread}/runs/${body.runId}`);
    expect((await t.call(thread)).body).toMatchObject({ activeRunId: null, metadata: { change: '4' } });
  });

  test('keeps the run that is claimed in between', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    let runId: string | undefined;
    const before = async () => {
      runId = (await t.createRun(thread)).body.runId;
    };
    t.store.inject({ kind: 'merge', row: 'thread' }, { before });
    await labelled(thread, other);
    expect(runId).toBeDefined();
    expect((await t.call(thread)).body).toMatchObject({ activeRunId: runId, metadata: other });
  });

  test('that fails half-way is shown by lists as by the thread', async () => {
    const thread = await t.openThread();
    await labelled(thread, labels);
    t.store.inject({ kind: 'merge', row: 'thread' }, 'fail', 3);
    expect((await patch(thread, other)).status).toBe(503);
    expect([await listedMetadata(), (await t.call(thread)).body.metadata]).toEqual([labels, labels]);
    t.store.inject({ kind: 'merge', row: 'thread' }, 'lose', 3);
    expect((await patch(thread, other)).status).toBe(503);
    expect([await listedMetadata(), (await t.call(thread)).body.metadata]).toEqual([other, other]);
  });

  test('is copied to the list only once no other can be under way', async () => {
    const thread = await t.openThread();
    const announced = { before: async () => t.store.inject({ kind: 'merge', row: 'index' }, 'fail', 3) };
    t.store.inject({ kind: 'merge', row: 'thread' }, announced);
    await labelled(thread, labels);
    t.store.reset();
    expect([await listedMetadata(), await listedMetadata()]).toEqual([labels, labels]);
    expect(t.store.roundTrips).toEqual(['query', 'read', 'query', 'read']);
    const later = Date.now() + 61_000;
    jest.spyOn(Date, 'now').mockReturnValue(later);
    try {
      await threads.list(t.projectId, { limit: 50, after: undefined });
    } finally {
      jest.restoreAllMocks();
    }
    t.store.reset();
    expect(await listedMetadata()).toEqual(labels);
    expect(t.store.roundTrips).toEqual(['query']);
  });

  test('overtaken by another at any point leaves lists and thread the same', async () => {
    for (const row of ['index', 'thread'] as const) {
      for (const nth of [1, 2]) {
        await t.changeProject();
        list = `projects/${t.projectId}/threads`;
        const thread = await t.openThread();
        let seen = 0;
        const before = async () => {
          if (++seen === nth) await labelled(thread, labels);
        };
        t.store.inject({ kind: 'merge', row }, { before }, nth);
        await labelled(thread, other);
        const { metadata } = (await t.call(thread)).body;
        expect([row, nth, await listedMetadata()]).toEqual([row, nth, metadata]);
      }
    }
  });

  test('is not undone by a list that read the thread before', async () => {
    t.store.inject({ kind: 'merge', row: 'index' }, 'fail', 3);
    const thread = await t.openThread();
    t.store.reset();
    // The list repairs the entry by what it read before the change.
    t.store.inject({ kind: 'transaction', row: 'index' }, { before: () => labelled(thread, labels) });
    expect(await listedMetadata()).toBeUndefined();
    expect(await listedMetadata()).toEqual(labels);
  });

  test('does not bring back a thread that is being deleted', async () => {
    const thread = await t.openThread();
    const before = async () => void (await t.call(thread, { method: 'DELETE' }));
    t.store.inject({ kind: 'merge', row: 'thread' }, { before });
    expect((await patch(thread, labels)).status).toBe(404);
    expect((await t.call(list)).body.threads).toEqual([]);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });
});

describe('a list by a pair of metadata', () => {
  const idsOf = (items: { threadId: string; runId?: string }[]) =>
    items.map(({ threadId, runId }) => runId ?? threadId);
  const query = (key: string, value: string) =>
    `metadata[${encodeURIComponent(key)}]=${encodeURIComponent(value)}`;

  test('has the threads with that very pair, page by page', async () => {
    const found: string[] = [];
    for (let count = 0; count < 6; count++) {
      const thread = await t.openThread();
      if (count % 2 === 0) {
        await labelled(thread, { team: 'a & b', n: `${count}` });
        found.unshift(idOf(thread));
      } else await labelled(thread, { team: 'A & B', 'team]': 'a & b' });
    }
    const all = await t.call(`${list}?${query('team', 'a & b')}`);
    expect(idsOf(all.body.threads)).toEqual(found);
    expect(all.body).toMatchObject({ hasMore: false, lastId: found[2] });
    const first = await t.call(`${list}?limit=2&${query('team', 'a & b')}`);
    expect(idsOf(first.body.threads)).toEqual(found.slice(0, 2));
    const rest = await t.call(`${list}?limit=2&after=${first.body.lastId}&${query('team', 'a & b')}`);
    expect([idsOf(rest.body.threads), rest.body.hasMore]).toEqual([found.slice(2), false]);
    for (const [key, value] of [
      ['team', 'x'],
      ['toString', ''],
      ['__proto__', ''],
    ] as const) {
      expect((await t.call(`${list}?${query(key, value)}`)).body.threads).toEqual([]);
    }
    await patch(`${list}/${found[1]}`, {});
    expect(idsOf((await t.call(`${list}?${query('n', '2')}`)).body.threads)).toEqual([]);
  });

  test('has the runs with that pair, and with the status too', async () => {
    const thread = await t.openThread();
    const runs: string[] = [];
    for (const team of ['a', 'b', 'a']) {
      const { run } = await t.startRun(thread, { body: { ...question, metadata: { team } } });
      await t.finish(run);
      runs.unshift(idOf(run));
    }
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun(thread, { body: { ...question, metadata: { team: 'b' } } });
    while ((await t.call(run)).body.status === 'queued');
    const listed = async (more: string) => idsOf((await t.call(`${thread}/runs?${more}`)).body.runs);
    expect(await listed(query('team', 'a'))).toEqual([runs[0], runs[2]]);
    expect(await listed(query('team', 'b'))).toEqual([idOf(run), runs[1]]);
    expect(await listed(`status=completed&${query('team', 'b')}`)).toEqual([runs[1]]);
    expect(await listed(`status=in_progress&${query('team', 'b')}`)).toEqual([idOf(run)]);
    expect(await listed(`status=in_progress&${query('team', 'a')}`)).toEqual([]);
  });

  const encoded = (labels: object) => new TextEncoder().encode(JSON.stringify(labels));
  const time = (index: number) => new Date(Date.UTC(2026, 10, 1) - index * 1_000);

  test('of threads reads at most 500 rows, and says where to go on', async () => {
    const ids = Array.from({ length: 700 }, (_, index) => newId('thread', time(index)));
    await insertRows(
      ids.map((threadId, index) => ({
        partitionKey: `${t.projectId}:threads`,
        rowKey: `${threadId.slice(7, 16)}_${threadId}`,
        ...{ createdAt: time(index), checked: true, closing: false },
        metadata: encoded({ team: index === 650 ? 'rare' : 'common' }),
      })),
    );
    const { body: first } = await t.call(`${list}?limit=10&metadata[team]=rare`);
    expect(first).toEqual({ threads: [], hasMore: true, lastId: ids[499] });
    expect([t.store.rowsRead(), t.store.roundTrips]).toEqual([expect.any(Number), ['query', 'query']]);
    // A query asks for one row more, to know whether there are more.
    expect(t.store.rowsRead()).toBeLessThanOrEqual(502);
    const { body: second } = await t.call(`${list}?limit=10&metadata[team]=rare&after=${first.lastId}`);
    expect([idsOf(second.threads), second.hasMore]).toEqual([[ids[650]], false]);
  });

  test('of threads counts the threads that it has to look up', async () => {
    const ids = Array.from({ length: 420 }, (_, index) => newId('thread', time(index)));
    await insertRows(
      ids.map((threadId, index) => ({
        partitionKey: `${t.projectId}:threads`,
        rowKey: `${threadId.slice(7, 16)}_${threadId}`,
        // All but the first ten are of threads that may not exist.
        ...{ createdAt: time(index), checked: index < 10, closing: false, metadata: encoded({ team: 'x' }) },
      })),
    );
    const seen: string[] = [];
    for (let after = ''; ; ) {
      t.store.reset();
      const { body } = await t.call(`${list}?limit=100&metadata[team]=x${after}`);
      // None of the threads is there, so the store counts no row for their reads.
      const reads = t.store.roundTrips.filter((kind) => kind === 'read').length;
      expect(t.store.rowsRead() + reads).toBeLessThanOrEqual(502);
      seen.push(...idsOf(body.threads));
      if (!body.hasMore) break;
      after = `&after=${body.lastId}`;
    }
    expect(seen).toEqual(ids.slice(0, 10));
  });

  test('of runs reads at most 500 rows, and says where to go on', async () => {
    const thread = await t.openThread();
    const ids = Array.from({ length: 700 }, (_, index) => newId('run', time(index)));
    await insertRows(
      ids.map((rowKey, index) => ({
        ...{ partitionKey: `${t.projectId}:${idOf(thread)}`, rowKey, assistantId: 'asst_test' },
        ...{ status: 'completed', createdAt: time(index), completedAt: time(index), expiresAt: time(index) },
        metadata: encoded({ team: index === 650 ? 'rare' : 'common' }),
      })),
    );
    t.store.reset();
    const { body: first } = await t.call(`${thread}/runs?limit=10&metadata[team]=rare`);
    expect(first).toEqual({ runs: [], hasMore: true, lastId: ids[499] });
    expect(t.store.rowsRead()).toBeLessThanOrEqual(503);
    const { body: second } = await t.call(
      `${thread}/runs?limit=10&metadata[team]=rare&after=${first.lastId}`,
    );
    expect([idsOf(second.runs), second.hasMore]).toEqual([[ids[650]], false]);
  });

  test.each([
    'metadata=x',
    'metadata[]=x',
    'metadata[a=x',
    'metadata[a]=x&metadata[b]=y',
    'metadata[a]=x&metadata[a]=x',
    `metadata[${'k'.repeat(65)}]=x`,
    `metadata[k]=${'x'.repeat(513)}`,
  ])('cannot be %j', async (pair) => {
    const thread = await t.openThread();
    for (const path of [list, `${thread}/runs`]) {
      const { status, body } = await t.call(`${path}?${pair}`);
      expect([status, Object.keys(body.errors)]).toEqual([400, ['Metadata']]);
    }
  });
});
