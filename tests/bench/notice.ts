import { scheduler } from 'node:timers/promises';
import { createClient } from './client.ts';
import { type Follow, listen, poll, wait } from './followers.ts';
import { pool } from './load.ts';
import type { Row, Section } from './report.ts';
import { summarize, type Times } from './statistics.ts';
import { type Ground, runIdOf, startWorld, type World } from './world.ts';

const lanes = 8;
const queueMs = 200;
/** Mean duration of the runs and its spread, which exceeds the polling interval. */
const runMs = 1_500;
const spreadMs = 1_200;

/** Measures how long after a run's end in the engine its clients are notified. */
export async function measureNotice(ground: Ground): Promise<Section> {
  const world = await startWorld(ground);
  const count = ground.quick ? 4 : 40;
  try {
    await world.warmUp(ground.quick ? 8 : 100);
    if (!ground.quick) for (const follow of [wait, listen]) await measure(world, follow, lanes);
    const waiting = await measure(world, wait, count);
    const events = await measure(world, listen, count);
    const polling = await measure(world, poll, count);
    const direct = await measure(world, followEngine(world), count);
    const row = (figure: string, { p50Ms, p95Ms }: Times, target?: Row['target']): Row => ({
      figure: `notice time: ${figure}`,
      unit: 'p50/p95 ms',
      value: [p50Ms, p95Ms],
      against: { name: 'two-second poller', value: [polling.p50Ms, polling.p95Ms] },
      ...(target && { target }),
    });
    const met = waiting.p50Ms <= 20 && waiting.p95Ms <= 60;
    return {
      rows: [
        row('waiting client', waiting, { text: '≤ 20 / 60', met }),
        row('events client', events),
        row("the engine's own stream", direct),
      ],
      details: { runs: count, waiting, events, polling, direct },
    };
  } finally {
    await world.close();
  }
}

async function measure(world: World, follow: Follow, count: number): Promise<Times> {
  const threads = await world.openThreads(count);
  let starting: Promise<unknown> = Promise.resolve();
  // Start runs one by one, because the engine's timing applies to all later runs.
  const start = (thread: string) => {
    const started = starting.then(async () => {
      const shiftMs = Math.round((Math.random() * 2 - 1) * spreadMs);
      await world.engine.timing({ queueMs, runMs: runMs + shiftMs });
      return world.startRun(thread);
    });
    starting = started.catch(() => undefined);
    return started;
  };
  const known = await pool(count, lanes, async (index) => {
    // Stagger the lanes, which would otherwise stay synchronized.
    if (index < lanes) await scheduler.wait(Math.random() * 500);
    const run = await start(threads[index] ?? '');
    const { knownAtMs } = await follow(world.client, run);
    return { runId: runIdOf(run), knownAtMs };
  });
  const endings = await world.endings();
  return summarize(known.map(({ runId, knownAtMs }) => knownAtMs - (endings.get(runId) ?? Number.NaN)));
}

/** Measures the engine's own stream: the lower bound for any service. */
function followEngine({ engine }: World): Follow {
  return async (_client, runPath) => {
    const api = createClient(engine.url, 'bench-engine-key');
    const run = (await engine.runs()).find(({ metadata }) => metadata['runId'] === runIdOf(runPath));
    const stream = await api.open(`/responses/${run?.id}?stream=true`);
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) {
      text += chunk;
      if (!text.includes('event: response.completed')) continue;
      const knownAtMs = Date.now();
      stream.destroy();
      api.close();
      return { knownAtMs, calls: 1 };
    }
    throw new Error('the engine ended its stream before the run');
  };
}
