import { scheduler } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { newId } from '../../shared/model/ids.ts';
import { createThreadStore, type ThreadStore } from '../../shared/storage/threadStore.ts';
import { idOf } from '../support/paths.ts';
import { proxiedThreadsTable, rowsOf } from '../support/table.ts';
import { useService } from '../support/useService.ts';

/* The index of a project's threads: what a list shows, what it costs, and what interrupted requests leave of it. */

const t = useService();
/** The store of threads as the service uses it, behind the same proxy. */
let threads: ThreadStore;
let path: string;
beforeAll(async () => {
  const table = await proxiedThreadsTable(t.store.port);
  threads = createThreadStore(async () => table);
});
beforeEach(async () => {
  await t.changeProject();
  path = `projects/${t.projectId}/threads`;
  // A worker remembers a project for a while: its read is not to be counted.
  await t.call(path);
  t.store.roundTrips.length = 0;
});
afterEach(() => void jest.restoreAllMocks());

const idsOf = ({ threads: listed }: { threads: { threadId: string }[] }) =>
  listed.map(({ threadId }) => threadId);

/** Adds a thread to the store alone. */
const addThread = async (threadId: string, createdAt: Date) =>
  threads.add({ projectId: t.projectId, threadId, createdAt, conversationId: 'conv_none' });

/** All pages of the list, joined; each is full but the last. */
async function listAll(limit: number, between = async () => {}): Promise<string[]> {
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const { status, body } = await t.call(`${path}?limit=${limit}${after}`);
    expect(status).toBe(200);
    ids.push(...idsOf(body));
    if (!body.hasMore) return ids;
    expect(body.threads).toHaveLength(limit);
    after = `&after=${body.lastId}`;
    await between();
  }
}

describe('listThreads', () => {
  test("pages a project's threads newest first, and no other's", async () => {
    const [own, other] = [await t.addProject(), await t.addProject()];
    const threads: string[] = [];
    for (let count = 0; count < 5; count++) {
      const thread = await t.openThread(own.projectId);
      await t.finish((await t.startRun(thread)).run);
      threads.unshift(idOf(thread));
      await t.openThread(other.projectId);
    }
    const path = `projects/${own.projectId}/threads`;
    const { body: all } = await t.call(path);
    expect(all.threads.map(({ threadId }: { threadId: string }) => threadId)).toEqual(threads);
    expect(all.threads[0]).toEqual({
      threadId: threads[0],
      projectId: own.projectId,
      createdAt: expect.any(String),
    });
    expect(all).toMatchObject({ hasMore: false, lastId: threads[4] });
    const { body: first } = await t.call(`${path}?limit=3`);
    expect(first).toMatchObject({ hasMore: true, lastId: threads[2] });
    const { body: rest } = await t.call(`${path}?limit=3&after=${first.lastId}`);
    expect(rest.threads.map(({ threadId }: { threadId: string }) => threadId)).toEqual(threads.slice(3));
    expect(rest.hasMore).toBe(false);
    expect((await t.call(`${path}?after=run_x`)).status).toBe(400);
  });

  test('keeps projects apart whose ids begin alike', async () => {
    const one = await t.addProject();
    const longer = await t.addProject({ projectId: `${one.projectId}-2` });
    await t.openThread(longer.projectId);
    expect((await t.call(`projects/${one.projectId}/threads`)).body.threads).toEqual([]);
  });
});

describe('a list of threads', () => {
  test('costs one round trip, whatever the threads hold and however many the project has', async () => {
    const thread = await t.openThread();
    for (let count = 0; count < 3; count++) {
      const headers = { 'Idempotency-Key': `key-${count}` };
      const { headers: created } = await t.call(`${thread}/runs`, {
        method: 'POST',
        body: { message: 'Hello?' },
        headers,
      });
      await t.finish((created.get('Location') ?? '').replace('/api/', ''));
    }
    for (let count = 0; count < 12; count++) await t.openThread();
    t.store.roundTrips.length = 0;
    const { body } = await t.call(`${path}?limit=5`);
    expect(body.threads).toHaveLength(5);
    await t.call(`${path}?limit=5&after=${body.lastId}`);
    expect(t.store.roundTrips).toEqual(['query', 'query']);
  });

  test.each([1, 2, 3])(
    'shows every thread once, newest first, while others come and go and the store pages as it likes (seed %i)',
    async (seed) => {
      const lasting: string[] = [];
      let passing: string[] = [];
      for (let count = 0; count < 8; count++) {
        lasting.unshift(idOf(await t.openThread()));
        passing.push(await t.openThread());
      }
      t.store.page(seed);
      const listed = await listAll(3, async () => {
        const gone = passing.pop();
        await Promise.all([
          t.openThread(),
          gone && t.call(gone, { method: 'DELETE' }).then(({ status }) => expect(status).toBe(204)),
        ]);
      });
      expect(new Set(listed).size).toBe(listed.length);
      expect(listed.filter((id) => lasting.includes(id))).toEqual(lasting);
      // Those that were there all the time and those deleted meanwhile, but none that came after the first page.
      passing = passing.map(idOf);
      expect(passing.every((id) => listed.includes(id))).toBe(true);
      expect(listed).toEqual(listed.toSorted());
    },
  );

  test('sorts ids from elsewhere by their time, and goes on behind them', async () => {
    const at = (second: number) => new Date(Date.UTC(2026, 10, 24, 10, 0, second));
    const own = [newId('thread', at(1)), newId('thread', at(3))] as const;
    await addThread(own[0], at(1));
    await addThread('thread_zFromElsewhere', at(2));
    await addThread('thread_aFromElsewhere', at(4));
    await addThread(own[1], at(3));
    const expected = ['thread_aFromElsewhere', own[1], 'thread_zFromElsewhere', own[0]];
    expect(await listAll(100)).toEqual(expected);
    expect(await listAll(1)).toEqual(expected);
  });

  test('answers 400 behind an id from elsewhere that is no thread of the project', async () => {
    const { status, body } = await t.call(`${path}?after=thread_nosuch`);
    expect([status, body.errors]).toEqual([400, { After: ['The field After must be an id of the list.'] }]);
  });

  test('goes on behind a thread that has been deleted', async () => {
    const [older = '', newer = ''] = [await t.openThread(), await t.openThread()];
    await t.call(newer, { method: 'DELETE' });
    const { body } = await t.call(`${path}?after=${idOf(newer)}`);
    expect(idsOf(body)).toEqual([idOf(older)]);
  });
});

describe('an index entry', () => {
  test('that could not be checked is looked up by the next list, and by no other', async () => {
    t.store.inject({ kind: 'merge', row: 'index' }, 'fail', 3);
    const thread = await t.openThread();
    t.store.reset();
    for (let lists = 0; lists < 2; lists++) {
      expect(idsOf((await t.call(path)).body)).toEqual([idOf(thread)]);
    }
    expect(t.store.roundTrips).toEqual(['query', 'read', 'transaction', 'query']);
  });

  test('without a thread is not listed, and removed when a create cannot be under way any more', async () => {
    const threadId = newId('thread', new Date());
    await threads.addToIndex({ projectId: t.projectId, threadId, createdAt: new Date() });
    expect((await t.call(path)).body).toEqual({ threads: [], hasMore: false, lastId: null });
    expect(await rowsOf(t.projectId)).toHaveLength(1);
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 11 * 60_000);
    expect(await threads.list(t.projectId, { limit: 50, after: undefined })).toMatchObject({ items: [] });
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('without a thread does not end a list, and many of them do not make it long', async () => {
    const oldest = await t.openThread();
    const now = Date.now();
    for (let count = 0; count < 8; count++) {
      const createdAt = new Date(now + count);
      await threads.addToIndex({ projectId: t.projectId, threadId: newId('thread', createdAt), createdAt });
    }
    t.store.roundTrips.length = 0;
    const { body: first } = await t.call(`${path}?limit=2`);
    expect(first).toMatchObject({ threads: [], hasMore: true, lastId: expect.stringMatching(/^thread_/) });
    expect(t.store.roundTrips.filter((kind) => kind === 'query')).toHaveLength(3);
    expect(t.store.roundTrips.filter((kind) => kind === 'read')).toHaveLength(6);
    const { body: second } = await t.call(`${path}?limit=2&after=${first.lastId}`);
    expect(idsOf(second)).toEqual([idOf(oldest)]);
    expect(second.hasMore).toBe(false);
  });

  test('is one for a thread that was announced twice with different times', async () => {
    const createdAt = new Date();
    await addThread('thread_twice', createdAt);
    await threads.addToIndex({ projectId: t.projectId, threadId: 'thread_twice', createdAt: new Date(0) });
    expect(await listAll(50)).toEqual(['thread_twice']);
    const other = { projectId: t.projectId, threadId: 'thread_twice', conversationId: 'conv_other' };
    expect(await threads.add({ ...other, createdAt: new Date(1_000) })).toBe('exists');
    expect((await rowsOf(t.projectId)).map(({ createdAt: time }) => time)).not.toContainEqual(
      new Date(1_000),
    );
    expect(await listAll(50)).toEqual(['thread_twice']);
  });

  test('of a thread about to be closed is not repaired: a list could race with the closing', async () => {
    const thread = await t.openThread();
    t.store.inject('transaction', 'fail', 3);
    expect((await t.call(thread, { method: 'DELETE' })).status).toBe(503);
    // Nothing was closed, so the thread is there, in the list too.
    expect((await t.call(thread)).status).toBe(200);
    for (let lists = 0; lists < 2; lists++) {
      expect(idsOf((await t.call(path)).body)).toEqual([idOf(thread)]);
    }
    const [entry] = (await rowsOf(t.projectId)).filter(
      ({ partitionKey }) => partitionKey === `${t.projectId}:threads`,
    );
    expect(entry).toMatchObject({ checked: false, closing: true });
  });
});

describe('a create whose thread is not confirmed by the store', () => {
  const create = () => t.call(path, { method: 'POST' });
  const threadRow = { kind: 'insert', row: 'thread' } as const;

  const lateDone = async () => {
    while (t.store.pendingLate() > 0) await scheduler.wait(20);
  };

  /** The id that no client was told. */
  const threadIdOf = async () => {
    const [row] = (await rowsOf(t.projectId)).filter(({ rowKey }) => rowKey === 'thread');
    return String(row?.['partitionKey']).split(':')[1] ?? '';
  };

  test.each([
    ['before its create gives up', 1],
    ['after its create gave up', 2_500],
  ])('leaves no ghost when the row comes %s', async (_name, lateMs) => {
    // More often than the store's client tries.
    t.store.inject(threadRow, { lateMs, response: 'fail' }, 3);
    t.store.inject({ kind: 'delete', row: 'index' }, 'fail', 3);
    const response = await create();
    expect([response.status, response.body.code]).toEqual([503, 'unavailable']);
    expect(await t.engine.calls()).toContainEqual(expect.stringMatching(/^DELETE \/v1\/conversations\//));
    await lateDone();
    expect((await t.call(path)).body.threads).toEqual([]);
    const thread = `${path}/${await threadIdOf()}`;
    expect((await t.call(thread)).status).toBe(404);
    expect((await t.call(`${thread}/runs`, { method: 'POST', body: { message: 'x' } })).status).toBe(404);
    expect((await t.call(thread, { method: 'DELETE' })).status).toBe(204);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('is a valid empty thread when it could not be closed either', async () => {
    t.store.inject(threadRow, { lateMs: 2_500, response: 'fail' }, 3);
    t.store.inject({ kind: 'upsert', row: 'thread' }, 'fail', 3);
    expect((await create()).status).toBe(503);
    expect((await t.call(path)).body.threads).toEqual([]);
    await lateDone();
    const { body } = await t.call(path);
    expect(body.threads).toHaveLength(1);
    const read = await t.call(`${path}/${body.threads[0].threadId}`);
    expect([read.status, read.body.messages]).toEqual([200, []]);
  });

  test('leaves no conversation and no thread when the index does not take it', async () => {
    t.store.inject({ kind: 'insert', row: 'index' }, 'fail', 3);
    expect((await create()).status).toBe(503);
    expect(await t.engine.calls()).toEqual([
      'POST /v1/conversations',
      expect.stringMatching(/^DELETE \/v1\/conversations\//),
    ]);
    expect(await rowsOf(t.projectId)).toEqual([]);
  });

  test('is there, once, when only the confirmation was lost', async () => {
    t.store.inject(threadRow, 'lose');
    t.store.inject({ kind: 'insert', row: 'index' }, 'lose');
    const { status, body } = await create();
    expect(status).toBe(201);
    expect(idsOf((await t.call(path)).body)).toEqual([body.threadId]);
    expect((await t.call(`${path}/${body.threadId}`)).status).toBe(200);
  });
});
