import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '../../shared/model/ids.ts';
import { startService, type TestService } from '../support/service.ts';
import { insertRows } from '../support/table.ts';

/* What lists of runs cost and show when a thread has many, and whichever way the store pages. */

let service: TestService;
let projectId: string;
let thread: string;

beforeAll(async () => {
  service = await startService();
  ({ projectId } = await service.addProject());
});
afterAll(() => service.close());
beforeEach(async () => {
  service.store.reset();
  await service.engine.reset();
  thread = await service.openThread(projectId);
  service.store.reset();
});

/** Adds finished runs to the store alone, newest first. */
async function addRuns(statuses: readonly string[]): Promise<string[]> {
  const now = Date.now() - 60_000;
  const rows = statuses.map((status, index) => ({
    partitionKey: `${projectId}:${thread.split('/').at(-1)}`,
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

const startRun = async () =>
  (await service.call(`${thread}/runs`, { method: 'POST', body: { message: 'Hello?' } })).body.runId;

const idsOf = ({ runs }: { runs: { runId: string }[] }) => runs.map(({ runId }) => runId);

/** All pages of a list, joined, and how many there were. */
async function listAll(query: string): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  for (let pages = 1, after = ''; ; pages++) {
    const { status, body } = await service.call(`${thread}/runs?${query}${after}`);
    expect(status).toBe(200);
    ids.push(...idsOf(body));
    if (!body.hasMore) return { ids, pages };
    after = `&after=${body.lastId}`;
  }
}

const countQueries = () => service.store.roundTrips.filter((kind) => kind === 'query').length;

describe('a list of runs', () => {
  test.each([1, 2, 3])(
    'shows every run once, newest first, while others start and the store pages as it likes (seed %i)',
    async (seed) => {
      const runIds = await addRuns(Array.from({ length: 17 }, () => 'completed'));
      service.store.page(seed);
      const [{ ids, pages }] = await Promise.all([listAll('limit=4'), startRun()]);
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
    service.store.page(4);
    expect((await listAll('limit=5&status=failed')).ids).toEqual(failed);
    expect((await listAll('limit=5&status=expired')).ids).toEqual([]);
  });

  test('of a rare status looks at 500 runs at most, and says where to go on', async () => {
    const statuses = Array.from({ length: 700 }, (_, index) => (index === 650 ? 'failed' : 'completed'));
    const runIds = await addRuns(statuses);
    service.store.roundTrips.length = 0;
    const { body: first } = await service.call(`${thread}/runs?status=failed&limit=10`);
    expect(first).toEqual({ runs: [], hasMore: true, lastId: runIds[499] });
    expect(countQueries()).toBe(2);
    const { body: second } = await service.call(
      `${thread}/runs?status=failed&limit=10&after=${first.lastId}`,
    );
    expect(idsOf(second)).toEqual([runIds[650]]);
    expect(second).toMatchObject({ hasMore: false, lastId: runIds[650] });
    expect(countQueries()).toBe(4);
  });

  test('of an unfinished status reads the active run alone', async () => {
    await addRuns(Array.from({ length: 20 }, () => 'completed'));
    await service.engine.outcome({ status: 'never' });
    await service.engine.timing({ queueMs: 3_600_000 });
    const runId = await startRun();
    service.store.roundTrips.length = 0;
    const { body: queued } = await service.call(`${thread}/runs?status=queued`);
    expect(idsOf(queued)).toEqual([runId]);
    expect(queued).toMatchObject({ hasMore: false, lastId: runId });
    const none = { runs: [], hasMore: false, lastId: null };
    expect((await service.call(`${thread}/runs?status=in_progress`)).body).toEqual(none);
    expect((await service.call(`${thread}/runs?status=queued&after=${runId}`)).body).toEqual(none);
    expect(countQueries()).toBe(0);
  });

  test('of an unfinished status is empty when no run is active', async () => {
    await addRuns(['completed']);
    const { body } = await service.call(`${thread}/runs?status=in_progress`);
    expect(body).toEqual({ runs: [], hasMore: false, lastId: null });
    expect(countQueries()).toBe(0);
  });
});
