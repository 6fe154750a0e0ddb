import { beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '../../shared/model/ids.ts';
import { idOf } from '../support/paths.ts';
import { insertRows } from '../support/table.ts';
import { useService } from '../support/useService.ts';

/* What lists of runs cost and show when a thread has many, and whichever way the store pages. */

const t = useService();
let thread: string;
beforeEach(async () => {
  thread = await t.openThread();
  t.store.reset();
});

/** Adds finished runs to the store alone, newest first. */
async function addRuns(statuses: readonly string[]): Promise<string[]> {
  const now = Date.now() - 60_000;
  const rows = statuses.map((status, index) => ({
    partitionKey: `${t.projectId}:${idOf(thread)}`,
    rowKey: newId('run', new Date(now - index * 1_000)),
    status,
    assistantId: 'asst_test',
    createdAt: new Date(now),
    startedAt: new Date(now),
    completedAt: new Date(now),
    expiresAt: new Date(now),
    ...(status !== 'completed' && { errorMessage: 'It failed.' }),
  }));
  await insertRows(rows);
  return rows.map(({ rowKey }) => rowKey);
}

const idsOf = ({ runs }: { runs: { runId: string }[] }) => runs.map(({ runId }) => runId);

/** All pages of a list, joined, and how many there were. */
async function listAll(query: string): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  for (let pages = 1, after = ''; ; pages++) {
    const { status, body } = await t.call(`${thread}/runs?${query}${after}`);
    expect(status).toBe(200);
    ids.push(...idsOf(body));
    if (!body.hasMore) return { ids, pages };
    after = `&after=${body.lastId}`;
  }
}

const countQueries = () => t.store.roundTrips.filter((kind) => kind === 'query').length;

describe('listRuns', () => {
  test('pages newest first, filters by status, and is up to date', async () => {
    const thread = await t.openThread();
    const runs: string[] = [];
    for (let count = 0; count < 5; count++) {
      if (count === 1) await t.engine.outcome({ status: 'failed', code: 'server_error', message: 'x' });
      const { run } = await t.startRun(thread, { headers: { 'Idempotency-Key': `key-${count}` } });
      if (count < 4) await t.finish(run);
      runs.unshift(idOf(run));
    }
    const { body: all } = await t.call(`${thread}/runs`);
    expect(all.runs.map(({ runId }: { runId: string }) => runId)).toEqual(runs);
    expect(all).toMatchObject({ hasMore: false, lastId: runs[4] });
    // The last one was never looked at.
    await t.finish(`${thread}/runs/${runs[0]}`);
    expect(all.runs[1]).toEqual((await t.call(`${thread}/runs/${runs[1]}`)).body);

    const { body: first } = await t.call(`${thread}/runs?limit=2`);
    expect(first).toMatchObject({
      runs: [{ runId: runs[0] }, { runId: runs[1] }],
      hasMore: true,
      lastId: runs[1],
    });
    const { body: rest } = await t.call(`${thread}/runs?limit=3&after=${first.lastId}`);
    expect(rest.runs.map(({ runId }: { runId: string }) => runId)).toEqual(runs.slice(2));
    expect(rest.hasMore).toBe(false);

    const { body: failed } = await t.call(`${thread}/runs?status=failed`);
    expect(failed.runs.map(({ runId }: { runId: string }) => runId)).toEqual([runs[3]]);
    expect((await t.call(`${thread}/runs?status=cancelled`)).body).toEqual({
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
    const thread = await t.openThread();
    expect((await t.call(`${thread}/runs?${encodeURI(query)}`)).status).toBe(400);
  });

  test('answers 404 for a thread that is not there', async () => {
    const response = await t.call(`projects/${t.projectId}/threads/thread_nosuch/runs`);
    expect([response.status, response.body.code]).toEqual([404, 'thread_not_found']);
  });
});

describe('a list of runs', () => {
  test.each([1, 2, 3])(
    'shows every run once, newest first, while others start and the store pages as it likes (seed %i)',
    async (seed) => {
      const runIds = await addRuns(Array.from({ length: 17 }, () => 'completed'));
      t.store.page(seed);
      const [{ ids, pages }] = await Promise.all([listAll('limit=4'), t.startRun(thread)]);
      expect(pages).toBe(Math.ceil(ids.length / 4));
      expect(ids.filter((id) => runIds.includes(id))).toEqual(runIds);
      expect(new Set(ids).size).toBe(ids.length);
    },
  );

  test('of a finished status finds every one of them, whichever way the store pages', async () => {
    const statuses = Array.from({ length: 40 }, (_, index) => (index % 3 === 0 ? 'failed' : 'completed'));
    const runIds = await addRuns(statuses);
    const failed = runIds.filter((_, index) => index % 3 === 0);
    expect((await listAll('limit=5&status=failed')).ids).toEqual(failed);
    expect((await listAll('limit=100&status=failed')).ids).toEqual(failed);
    t.store.page(4);
    expect((await listAll('limit=5&status=failed')).ids).toEqual(failed);
    expect((await listAll('limit=5&status=expired')).ids).toEqual([]);
  });

  test('of a rare status looks at 500 runs at most, and says where to go on', async () => {
    const statuses = Array.from({ length: 700 }, (_, index) => (index === 650 ? 'failed' : 'completed'));
    const runIds = await addRuns(statuses);
    t.store.roundTrips.length = 0;
    const { body: first } = await t.call(`${thread}/runs?status=failed&limit=10`);
    expect(first).toEqual({ runs: [], hasMore: true, lastId: runIds[499] });
    expect(countQueries()).toBe(2);
    const { body: second } = await t.call(`${thread}/runs?status=failed&limit=10&after=${first.lastId}`);
    expect(idsOf(second)).toEqual([runIds[650]]);
    expect(second).toMatchObject({ hasMore: false, lastId: runIds[650] });
    expect(countQueries()).toBe(4);
  });

  test('of an unfinished status reads the active run alone', async () => {
    await addRuns(Array.from({ length: 20 }, () => 'completed'));
    await t.engine.outcome({ status: 'never' });
    await t.engine.timing({ queueMs: 3_600_000 });
    const { runId } = await t.startRun(thread);
    t.store.roundTrips.length = 0;
    const { body: queued } = await t.call(`${thread}/runs?status=queued`);
    expect(idsOf(queued)).toEqual([runId]);
    expect(queued).toMatchObject({ hasMore: false, lastId: runId });
    const none = { runs: [], hasMore: false, lastId: null };
    expect((await t.call(`${thread}/runs?status=in_progress`)).body).toEqual(none);
    expect((await t.call(`${thread}/runs?status=queued&after=${runId}`)).body).toEqual(none);
    expect(countQueries()).toBe(0);
  });

  test('of an unfinished status is empty when no run is active', async () => {
    await addRuns(['completed']);
    const { body } = await t.call(`${thread}/runs?status=in_progress`);
    expect(body).toEqual({ runs: [], hasMore: false, lastId: null });
    expect(countQueries()).toBe(0);
  });
});
