import { wait } from './followers.ts';
import { pool } from './load.ts';
import type { Row, Section } from './report.ts';
import { summarize, type Times } from './statistics.ts';
import { type Ground, runIdOf, startWorld, type World } from './world.ts';

/** Runs end one by one after all have started, so as not to measure a burst of ends. */
const leastRunMs = { quick: 1_500, full: 5_000 };
const leastSpreadMs = 1_000;
const spreadMsPerClient = 10;

/** Assumed slowdown of a create while many clients wait, relative to the warm-up. */
const slowdown = 4;
const creating = 16;
const megabyte = 1024 * 1024;

interface Crowd extends Times {
  readonly clients: number;
  /** Number of waiting clients. */
  readonly atOnce: number;
  readonly failures: readonly string[];
  readonly rssBefore: number | undefined;
  /** Maximum while they waited. */
  readonly rssMost: number | undefined;
  readonly rssAfter: number | undefined;
  /** CPU time per client from its create to the notification of the end; NaN without /proc. */
  readonly cpuMsPerClient: number;
}

/** Measures many concurrent clients, each waiting for a separate run. */
export async function measureWaiting(ground: Ground): Promise<Section> {
  const crowds: Crowd[] = [];
  for (const clients of ground.quick ? [10, 50] : [10, 100, 1_000]) {
    const world = await startWorld(ground);
    crowds.push(await gather(world, clients, ground.quick).finally(() => world.close()));
  }
  const [least] = crowds;
  if (!least) throw new Error('nobody waited');
  return {
    rows: crowds.flatMap((crowd) => toRows(crowd, least)),
    details: crowds,
    errors: crowds.flatMap(({ failures }) => failures),
  };
}

async function gather(world: World, clients: number, quick: boolean): Promise<Crowd> {
  const threads = await world.openThreads(clients);
  const startingMs = clients * (await world.warmUp(quick ? 16 : 100)) * slowdown;
  const firstEndMs = Date.now() + Math.max(startingMs, quick ? leastRunMs.quick : leastRunMs.full);
  const { app } = world;
  const [rssBefore, cpuBefore = Number.NaN] = [await app.rssBytes(), await app.cpuMs()];
  let rssMost = rssBefore;
  const watch = setInterval(async () => {
    rssMost = Math.max(rssMost ?? 0, (await app.rssBytes()) ?? 0) || undefined;
  }, 100);
  const { settled, atOnce } = await waitTogether(world, threads, firstEndMs);
  clearInterval(watch);
  const [rssAfter, cpuAfter = Number.NaN] = [await app.rssBytes(), await app.cpuMs()];
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
    cpuMsPerClient: (cpuAfter - cpuBefore) / clients,
  };
}

/** Starts a run on every thread, a few at a time, and waits for each once it is started. */
async function waitTogether(
  { client, engine, startRun }: World,
  threads: readonly string[],
  firstEndMs: number,
) {
  const spreadMs = Math.max(leastSpreadMs, threads.length * spreadMsPerClient);
  let now = 0;
  let atOnce = 0;
  const follow = async (starting: Promise<string>) => {
    const run = await starting;
    atOnce = Math.max(atOnce, ++now);
    const { knownAtMs } = await wait(client, run).finally(() => now--);
    return { runId: runIdOf(run), knownAtMs };
  };
  const waits = await pool(threads.length, creating, async (index) => {
    const leftMs = firstEndMs + Math.random() * spreadMs - Date.now();
    await engine.timing({ queueMs: 0, runMs: Math.max(0, Math.round(leftMs)) });
    const starting = startRun(threads[index] ?? '');
    const waited = Promise.allSettled([follow(starting)]);
    await starting.catch(() => undefined);
    // Wrapped, because returning the promise itself would await it here.
    return { waited };
  });
  return { settled: (await Promise.all(waits.map(({ waited }) => waited))).flat(), atOnce };
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
      ...(clients === 1_000 && {
        target: { text: 'all at once, no error', met: failures.length === 0 && crowd.atOnce === clients },
      }),
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
    ...(Number.isNaN(cpuMsPerClient)
      ? []
      : [
          {
            figure: `${figure}: processor time of one, create included`,
            unit: 'ms',
            value: [cpuMsPerClient],
            against: { name, value: [least.cpuMsPerClient] },
          },
        ]),
  ];
}
