import { scheduler } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { listen } from './followers.ts';
import { pool } from './load.ts';
import type { Row, Section } from './report.ts';
import { type Ground, startWorld, type World, withoutFollowUps } from './world.ts';

/* What many clients of one run share, and what those leave behind who vanish. */

const megabyte = 1024 * 1024;
const connecting = 50;

/** Clients come one after the other: a rush of connections is not what is measured. */
const arrivalMs = 10;
/** The more clients, the slower the words come: how many can be sent in a second is not what is measured either. */
const eventsRunMs = 100;
const runMsOf = (clients: number) => 2 * arrivalMs * clients + 2_000;

/** Costs that clients of the same run share. */
export async function measureSharing(ground: Ground): Promise<Section> {
  const { quick } = ground;
  const rows = [
    await eventsClients(ground, quick ? 20 : 200),
    await waitingClients(ground, quick ? 50 : 1_000),
    ...(await vanishingClients(ground, quick ? 50 : 2_000)),
  ];
  return { rows, details: rows };
}

/** Starts a run that is in progress, and recorded so, for some time. */
async function startLongRun({ client, engine, openThreads, startRun }: World, runMs: number) {
  const [thread = ''] = await openThreads(1);
  await engine.timing({ queueMs: 0, runMs });
  const run = await startRun(thread);
  await client.call('GET', run, 200);
  return run;
}

const openInvocations = async ({ client }: World): Promise<number> =>
  JSON.parse((await client.call('GET', '/admin/host/status', 200)).text).openInvocations;

async function eventsClients(ground: Ground, count: number): Promise<Row> {
  const world = await startWorld(ground);
  const { client, engine } = world;
  try {
    await world.warmUp(8);
    const run = await startLongRun(world, count * eventsRunMs + 2_000);
    const all = pool(count, count, async (index) => {
      await scheduler.wait(index * arrivalMs);
      return listen(client, run);
    });
    await Promise.race([
      all,
      until('all clients are there', async () => (await openInvocations(world)) >= count),
    ]);
    const streams = await engine.openStreams();
    await Promise.all([all]);
    return {
      figure: `shared: engine streams for ${count} events clients of one run`,
      unit: 'streams',
      value: [streams],
      against: { name: 'each its own', value: [count] },
      target: { text: '1', met: streams === 1 },
    };
  } finally {
    await world.close();
  }
}

async function waitingClients(ground: Ground, count: number): Promise<Row> {
  const world = await startWorld(ground, { counted: true, env: withoutFollowUps });
  const { client, store } = world;
  try {
    await world.warmUp(8);
    const run = await startLongRun(world, runMsOf(count));
    const trips = store?.roundTrips ?? [];
    store?.reset();
    let early = 0;
    const all = pool(count, count, async (index) => {
      await scheduler.wait(index * arrivalMs);
      const { text } = await client.call('GET', `${run}?wait=60`, 200);
      if (JSON.parse(text).status !== 'completed') early++;
    });
    // Each reads the run once, and then waits.
    await until('all clients wait', () => trips.length >= count);
    const arrivals = trips.length;
    await Promise.all([all]);
    if (early > 0) throw new Error(`${early} clients were answered before the run's end`);
    const atEnd = trips.slice(arrivals);
    const transactions = atEnd.filter((kind) => kind === 'transaction').length;
    const value = [transactions, atEnd.length - transactions];
    return {
      figure: `shared: the end of a run that ${count} clients wait for`,
      unit: 'transactions, other round trips to the store',
      value,
      against: { name: 'each on its own', value: [count, 2 * count - 1] },
      target: { text: '1 / 0', met: value[0] === 1 && value[1] === 0 },
    };
  } finally {
    await world.close();
  }
}

/** Half of them read events, half of them wait; all break their connection off. */
async function vanishingClients(ground: Ground, count: number): Promise<Row[]> {
  const world = await startWorld(ground, { probe: true, env: withoutFollowUps });
  const { app, engine, project } = world;
  try {
    await world.warmUp(100);
    const run = await startLongRun(world, 500_000);
    const headers = {
      Authorization: `Bearer ${await ground.issuer.sign({ projects: [project.projectId] })}`,
    };
    const comeAndGo = async (clients: number) => {
      await pool(clients, connecting, async (index) => {
        const leave = new AbortController();
        const path = index % 2 === 0 ? `${run}/events` : `${run}?wait=60`;
        const going = fetch(app.url + path, { headers, signal: leave.signal }).catch(() => undefined);
        await (index % 2 === 0 ? going : scheduler.wait(20));
        leave.abort();
        await going;
      });
      await until('no invocation is open', async () => (await openInvocations(world)) === 0);
      await until('nobody follows the run', async () => (await engine.openStreams()) === 0);
      return { heap: await app.heapBytes(), resident: await app.rssBytes() };
    };
    const before = await comeAndGo(connecting);
    const after = await comeAndGo(count);
    const row = (what: string, value: number, other: number): Row => ({
      figure: `memory: ${what}, after ${count} clients vanished`,
      unit: 'MB',
      value: [value / megabyte],
      against: { name: 'before', value: [other / megabyte] },
    });
    return [
      row('live heap', after.heap, before.heap),
      ...(after.resident && before.resident ? [row('resident', after.resident, before.resident)] : []),
      {
        figure: `invocations and engine streams open, after ${count} clients vanished`,
        unit: 'count',
        value: [await openInvocations(world), await engine.openStreams()],
      },
    ];
  } finally {
    await world.close();
  }
}
