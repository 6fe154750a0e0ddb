import { freePort, startAzurite } from '../../local/azurite.ts';
import { toIndexPartitionKey } from '../../shared/storage/rows.ts';
import { filter, openTable } from '../../shared/storage/tables.ts';
import { type Grown, openGrowingProject, type Size } from './growingProject.ts';
import type { Row, Section } from './report.ts';
import { median } from './statistics.ts';
import { type Ground, message, startWorld, type World, withoutFollowUps } from './world.ts';

/*
 * Measures the cost of each route as projects, threads, runs and messages grow. A proxy in front of the store counts
 * rows and round trips, which must not grow. Durations are compared with those of one read or query of Azurite, which
 * itself slows down with more data.
 */

const sizes: readonly Size[] = [
  { count: 100, messages: 10 },
  { count: 1_000, messages: 100 },
  { count: 10_000, messages: 1_000 },
  { count: 100_000, messages: 5_000 },
];

/** Page size; the smallest size has as many items. */
const limit = 10;

/** Maximum rows of a list with `?status=`: 500 runs, one extra row per query, and the thread. */
const searchedRows = 503;

/** Longer than the benchmark, shorter than the service's run timeout. */
const neverMs = 500_000;

/** The store's operation with which a route's duration is compared. */
type Operation = 'read' | 'query';

interface Route {
  readonly name: string;
  readonly operation: Operation;
  /** Maximum number of rows, if more than at the smallest size are allowed. */
  readonly mostRows?: number;
}

interface Measured {
  readonly rows: number;
  readonly roundTrips: number;
  readonly engineCalls: number;
  readonly itemsAsked: number;
  readonly ms: number;
}

interface Level {
  readonly size: Size;
  readonly routes: ReadonlyMap<Route, Measured>;
  /** Median duration of the store's operations, in milliseconds. */
  readonly store: Readonly<Record<Operation, number>>;
}

const route = (name: string, operation: Operation, mostRows?: number): Route => ({
  name,
  operation,
  ...(mostRows !== undefined && { mostRows }),
});

const routes = {
  createThread: route('create thread', 'read'),
  threads: route('list threads, first page', 'query'),
  threadsMiddle: route('list threads, page in the middle', 'query'),
  firstRequest: route('list threads, first request in a project', 'query'),
  createRun: route('create run', 'read'),
  unfinished: route('get run, unfinished', 'read'),
  finished: route('get run, finished', 'read'),
  runs: route('list runs, first page', 'query'),
  runsMiddle: route('list runs, page in the middle', 'query'),
  runsActive: route('list runs, ?status=in_progress', 'read'),
  runsFailed: route('list runs, ?status=failed (1 in 100)', 'query', searchedRows),
  runsNone: route('list runs, ?status=expired (none)', 'query', searchedRows),
  thread: route('get thread, first page', 'read'),
  threadMiddle: route('get thread, page in the middle', 'read'),
  deleteThread: route('delete a small thread', 'query'),
} as const;

/** Measures the cost of each route at every size. */
export async function measureGrowth(ground: Ground): Promise<Section> {
  // A separate store, because so many rows would slow down the other parts.
  const ports = { table: await freePort(), queue: await freePort() };
  const azurite = await startAzurite({ ports });
  const { connectionString } = azurite;
  const own = { ...ground, connectionString, tablesPort: ports.table };
  try {
    const world = await startWorld(own, { counted: true, env: withoutFollowUps });
    try {
      return toSection(await measureLevels(own, world));
    } finally {
      await world.close();
    }
  } finally {
    await azurite.close();
  }
}

async function measureLevels(ground: Ground, world: World): Promise<Level[]> {
  await world.warmUp(ground.quick ? 8 : 100);
  const [threadPath = ''] = await world.openThreads(1);
  const growing = await openGrowingProject(ground, world, threadPath);
  const levels: Level[] = [];
  try {
    for (const size of ground.quick ? sizes.slice(0, 2) : sizes) {
      const grown = await growing.grow(size);
      const rounds = ground.quick ? 3 : 15;
      levels.push({
        size,
        routes: await measureRoutes(ground, world, threadPath, grown, rounds),
        store: await measureStore(world, rounds),
      });
    }
  } finally {
    growing.close();
  }
  return levels;
}

async function measureRoutes(
  ground: Ground,
  world: World,
  threadPath: string,
  { threadId, runId, messageId, projectIds }: Grown,
  rounds: number,
): Promise<Map<Route, Measured>> {
  const { client, store, engine } = world;
  const threads = `/api/projects/${world.project.projectId}/threads`;
  const token = await ground.issuer.sign({ projects: projectIds });
  const samples = new Map<Route, Measured[]>();

  /** Sends a request and records its cost. */
  const measure = async <T>(measuredRoute: Route, send: () => Promise<T>): Promise<T> => {
    await engine.reset();
    await engine.timing({ queueMs: 0, runMs: neverMs });
    store?.reset();
    const startedAt = performance.now();
    const response = await send();
    const ms = performance.now() - startedAt;
    const sample = {
      rows: store?.rowsRead() ?? Number.NaN,
      roundTrips: store?.roundTrips.length ?? Number.NaN,
      engineCalls: (await engine.calls()).length,
      itemsAsked: await engine.itemsAsked(),
      ms,
    };
    samples.set(measuredRoute, [...(samples.get(measuredRoute) ?? []), sample]);
    return response;
  };
  const get = (measuredRoute: Route, path: string) =>
    measure(measuredRoute, () => client.call('GET', path, 200));

  for (let round = 0; round < rounds; round++) {
    const { text } = await measure(routes.createThread, () => client.call('POST', threads, 201));
    await get(routes.threads, `${threads}?limit=${limit}`);
    await get(routes.threadsMiddle, `${threads}?limit=${limit}&after=${threadId}`);
    await measure(routes.firstRequest, () =>
      client.call('GET', `/api/projects/${projectIds[round]}/threads`, 200, undefined, token),
    );

    const run = await measure(routes.createRun, () => world.startRun(threadPath));
    // The first read records that the run is in progress.
    await client.call('GET', run, 200);
    await get(routes.unfinished, run);
    await get(routes.runsActive, `${threadPath}/runs?limit=${limit}&status=in_progress`);
    await client.call('POST', `${run}/cancel`, 200);
    await get(routes.finished, run);
    await get(routes.runs, `${threadPath}/runs?limit=${limit}`);
    await get(routes.runsMiddle, `${threadPath}/runs?limit=${limit}&after=${runId}`);
    await get(routes.runsFailed, `${threadPath}/runs?limit=${limit}&status=failed`);
    await get(routes.runsNone, `${threadPath}/runs?limit=${limit}&status=expired`);
    await get(routes.thread, `${threadPath}?limit=${limit}`);
    await get(routes.threadMiddle, `${threadPath}?limit=${limit}&after=${messageId}`);

    const small = `${threads}/${JSON.parse(text).threadId}`;
    const { location } = await client.call('POST', `${small}/runs`, 201, { message });
    await client.call('POST', `${location}/cancel`, 200);
    await measure(routes.deleteThread, () => client.call('DELETE', small, 204));
  }
  return new Map([...samples].map(([of, taken]) => [of, summarize(taken)]));
}

/** Returns medians, since some requests also read the project record, which is cached for 30 seconds. */
function summarize(samples: readonly Measured[]): Measured {
  const medianOf = (pick: (sample: Measured) => number) => median(samples.map(pick));
  return {
    rows: medianOf(({ rows }) => rows),
    roundTrips: medianOf(({ roundTrips }) => roundTrips),
    engineCalls: medianOf(({ engineCalls }) => engineCalls),
    itemsAsked: medianOf(({ itemsAsked }) => itemsAsked),
    ms: medianOf(({ ms }) => ms),
  };
}

/** Measures one read and one query of a page with the store's client, through the same proxy. */
async function measureStore({ settings, project }: World, rounds: number): Promise<Level['store']> {
  const connection = { connectionString: settings['TABLES_CONNECTION_STRING'] ?? '' };
  const [projects, threads] = [
    await openTable(connection, 'projects'),
    await openTable(connection, 'threads'),
  ];
  const { projectId } = project;
  const queryOptions = { filter: filter`PartitionKey eq ${toIndexPartitionKey(projectId)}` };
  const operations: Record<Operation, () => Promise<unknown>> = {
    read: () => projects.getEntity(projectId, 'project'),
    query: () =>
      threads
        .listEntities({ queryOptions })
        .byPage({ maxPageSize: limit + 1 })
        .next(),
  };
  const time = async (operation: Operation) => {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const startedAt = performance.now();
      await operations[operation]();
      times.push(performance.now() - startedAt);
    }
    return median(times);
  };
  return { read: await time('read'), query: await time('query') };
}

const counts = ({ rows, roundTrips, engineCalls, itemsAsked }: Measured) => [
  rows,
  roundTrips,
  engineCalls,
  itemsAsked,
];

function toSection(levels: readonly Level[]): Section {
  const [smallest, largest] = [levels[0], levels.at(-1)];
  if (!smallest || !largest) throw new Error('nothing was measured');
  const countsOf = ({ routes: measured }: Level, of: Route) => {
    const found = measured.get(of);
    return found ? counts(found) : [];
  };
  const all = Object.values(routes);
  const counted = all.map((of): Row => {
    const [before, after] = [countsOf(smallest, of), countsOf(largest, of)];
    const most = before.map((value, index) => (index === 0 ? Math.max(value, of.mostRows ?? 0) : value));
    const met = after.length > 0 && after.every((value, index) => value <= (most[index] ?? 0));
    return {
      figure: `growth to ${largest.size.count}: ${of.name}`,
      unit: 'rows read, round trips, engine calls, items asked',
      value: after,
      against: { name: `at ${smallest.size.count}`, value: before },
      target: { text: of.mostRows === undefined ? 'flat' : `≤ ${of.mostRows} rows, else flat`, met },
    };
  });
  const timed = all.map(
    (of): Row => ({
      figure: `growth, time: ${of.name}`,
      unit: `p50 ms at ${levels.map(({ size }) => size.count).join(', ')}`,
      value: levels.map(({ routes: measured }) => measured.get(of)?.ms ?? Number.NaN),
      against: {
        name: `the store's own ${of.operation}`,
        value: levels.map(({ store }) => store[of.operation]),
      },
    }),
  );
  const details = levels.map(({ size, routes: measured, store }) => ({
    size,
    store,
    routes: Object.fromEntries([...measured].map(([{ name }, value]) => [name, value])),
  }));
  return { rows: [...counted, ...timed], details };
}
