import { wait } from './followers.ts';
import { pool } from './load.ts';
import type { Row, Section } from './report.ts';
import { summarize, type Times } from './statistics.ts';
import { type Ground, runIdOf, startWorld, type World } from './world.ts';

/** How long a run lasts, and by how much longer for each client: the first must still wait when the last begins. */
const runMs = { quick: 1_500, full: 5_000 };
const runMsPerClient = 15;
const creating = 16;
const megabyte = 1024 * 1024;

interface Crowd extends Times {
  readonly clients: number;
  /** How many waited at the same time. */
  readonly atOnce: number;
  readonly failures: readonly string[];
  readonly rssBefore: number | undefined;
  /** The most while they waited. */
  readonly rssMost: number | undefined;
  readonly rssAfter: number | undefined;
  /** Processor time for each client from its create to its knowing the end. */
  readonly cpuMsPerClient: number | undefined;
}

/** Many clients at once, each waiting for a run of its own. */
export async function measureWaiting(ground: Ground): Promise<Section> {
  const crowds: Crowd[] = [];
  for (const clients of ground.quick ? [10, 50] : [10, 100, 1_000]) {
    const world = await startWorld(ground);
    crowds.push(
      await gather(world, clients, ground.quick ? runMs.quick : runMs.full).finally(() => world.close()),
    );
  }
  const [least] = crowds;
  if (!least) throw new Error('nobody waited');
  return {
    rows: crowds.flatMap((crowd) => toRows(crowd, least)),
    details: crowds,
    errors: crowds.flatMap(({ failures }) => failures),
  };
}

async function gather(world: World, clients: number, leastRunMs: number): Promise<Crowd> {
  const { app, client, engine } = world;
  const threads = await world.openThreads(clients);
  await engine.timing({ queueMs: 0, runMs: leastRunMs + clients * runMsPerClient });
  const [rssBefore, cpuBefore] = [await app.rssBytes(), await app.cpuMs()];
  let now = 0;
  let atOnce = 0;
  let rssMost = rssBefore;
  const watch = setInterval(async () => {
    rssMost = Math.max(rssMost ?? 0, (await app.rssBytes()) ?? 0) || undefined;
  }, 100);
  const results: Promise<PromiseSettledResult<{ runId: string; knownAtMs: number }>[]>[] = [];
  await pool(clients, creating, async (index) => {
    const follow = async () => {
      const run = await started;
      atOnce = Math.max(atOnce, ++now);
      const { knownAtMs } = await wait(client, run).finally(() => now--);
      return { runId: runIdOf(run), knownAtMs };
    };
    const started = world.startRun(threads[index] ?? '');
    results.push(Promise.allSettled([follow()]));
    await started.catch(() => undefined);
  });
  const settled = (await Promise.all(results)).flat();
  clearInterval(watch);
  const [rssAfter, cpuAfter] = [await app.rssBytes(), await app.cpuMs()];
  const endings = await world.endings();
  const known = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  return {
    clients,
    atOnce,
    ...summarize(known.map(({ runId, knownAtMs }) => knownAtMs - (endings.get(runId) ?? Number.NaN))),
    failures: settled.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : [])),
    rssBefore,
    rssMost,
    rssAfter,
    cpuMsPerClient:
      cpuBefore === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore) / clients,
  };
}

function toRows(crowd: Crowd, least: Crowd): Row[] {
  const { clients, failures, rssBefore, rssMost, cpuMsPerClient } = crowd;
  const figure = `${clients} waiting clients (${crowd.atOnce} at once)`;
  const name = `${least.clients} waiting clients`;
  return [
    {
      figure: `${figure}: notice time`,
      unit: 'p50/p95 ms',
      value: [crowd.p50Ms, crowd.p95Ms],
      against: { name, value: [least.p50Ms, least.p95Ms] },
      ...(clients === 1_000 && { target: { text: 'no error', met: failures.length === 0 } }),
    },
    ...(rssBefore === undefined || rssMost === undefined
      ? []
      : [
          {
            figure: `${figure}: resident memory while they wait`,
            unit: 'MB',
            value: [rssMost / megabyte],
            against: { name: 'before', value: [rssBefore / megabyte] },
          },
        ]),
    ...(cpuMsPerClient === undefined
      ? []
      : [
          {
            figure: `${figure}: processor time of one, create included`,
            unit: 'ms',
            value: [cpuMsPerClient],
            against: { name, value: [least.cpuMsPerClient ?? Number.NaN] },
          },
        ]),
  ];
}
