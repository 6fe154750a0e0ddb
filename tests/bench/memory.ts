import { pool } from './load.ts';
import type { Row, Section } from './report.ts';
import { slope } from './statistics.ts';
import { type Ground, startWorld, type World } from './world.ts';

const lanes = 16;
/** Number of threads. They are reused, because ten thousand threads would measure the store's emulator. */
const threadsPerLane = 4;
const megabyte = 1024 * 1024;

interface Sample {
  readonly runs: number;
  readonly rssBytes: number | undefined;
  readonly heapBytes: number;
}

/** Measures the memory retained after runs have ended; expected to be none. */
export async function measureMemory(ground: Ground): Promise<Section> {
  const { count, samples } = ground.quick ? { count: 160, samples: 4 } : { count: 10_000, samples: 20 };
  const world = await startWorld(ground, { probe: true });
  try {
    const threads = await world.openThreads(lanes * threadsPerLane);
    await finishRuns(world, threads, count / samples);
    const taken = [await sample(world, 0)];
    for (let part = 1; part <= samples; part++) {
      await finishRuns(world, threads, count / samples);
      taken.push(await sample(world, (count / samples) * part));
    }
    return { rows: toRows(taken, count), details: taken };
  } finally {
    await world.close();
  }
}

async function finishRuns({ client, startRun }: World, threads: readonly string[], count: number) {
  const next = Array.from({ length: lanes }, (_, lane) => lane);
  await pool(count, lanes, async () => {
    // A thread has one active run at most, so it is used by one task at a time.
    const slot = next.shift() ?? 0;
    const run = await startRun(threads[slot] ?? '');
    const { text } = await client.call('GET', run, 200);
    const { status } = JSON.parse(text);
    if (status !== 'completed') throw new Error(`a run that should have ended is ${status}`);
    next.push((slot + lanes) % threads.length);
  });
}

async function sample({ app }: World, runs: number): Promise<Sample> {
  const rssBytes = await app.rssBytes();
  return { runs, rssBytes, heapBytes: await app.heapBytes() };
}

function toRows(taken: readonly Sample[], count: number): Row[] {
  const row = (figure: string, pick: (sample: Sample) => number): Row[] => {
    const points = taken.map((one) => ({ x: one.runs / 1000, y: pick(one) / megabyte }));
    const [before] = points;
    const after = points.at(-1);
    if (!before || !after || Number.isNaN(before.y)) return [];
    const growth = slope(points.slice(points.length / 2));
    return [
      {
        figure: `memory: ${figure}, after ${count} runs`,
        unit: 'MB',
        value: [after.y],
        against: { name: 'before', value: [before.y] },
      },
      {
        figure: `memory: ${figure}, growth per 1,000 runs in the second half`,
        unit: 'MB',
        value: [growth],
        against: { name: 'before', value: [before.y] },
      },
    ];
  };
  return [
    ...row('resident', ({ rssBytes = Number.NaN }) => rssBytes),
    ...row('live heap', ({ heapBytes }) => heapBytes),
  ];
}
