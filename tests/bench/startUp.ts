import { sizeOf } from './apps.ts';
import { createClient } from './client.ts';
import type { Section } from './report.ts';
import { startServer } from './servers.ts';
import { median } from './statistics.ts';
import { type Ground, host, startWorld, withoutFollowUps } from './world.ts';

/** A way to start an app and to ask it for its first answer. */
interface Start {
  readonly folder: string;
  readonly path: string;
  readonly status: number;
  readonly token?: string;
}

/** From the start of a process to its first answer, and how much there is to load. */
export async function measureStartUp(ground: Ground): Promise<Section> {
  const world = await startWorld(ground);
  const { apps, issuer } = ground;
  try {
    const [thread = ''] = await world.openThreads(1);
    const path = await world.startRun(thread);
    await world.client.call('GET', path, 200);
    const token = await issuer.sign({ projects: [world.project.projectId] });
    const starts = {
      refused: { folder: apps.service, path, status: 401 },
      finished: { folder: apps.service, path, status: 200, token },
      streamed: { folder: apps.streamed, path: '/api/constant', status: 200 },
      classic: { folder: apps.classic, path: '/api/constant', status: 200 },
    } satisfies Record<string, Start>;
    const times = await startInTurn(ground, starts, world.settings);
    return toSection(times, await sizeOf(apps.service), await sizeOf(apps.streamed));
  } finally {
    await world.close();
  }
}

type Times = Readonly<Record<'refused' | 'finished' | 'streamed' | 'classic', readonly number[]>>;
type Size = Awaited<ReturnType<typeof sizeOf>>;

/** Each once in every round, so that a busy moment of the machine meets them all; the first round warms the disk's cache. */
async function startInTurn(
  ground: Ground,
  starts: Readonly<Record<keyof Times, Start>>,
  settings: Readonly<Record<string, string>>,
): Promise<Times> {
  const times = { refused: [], finished: [], streamed: [], classic: [] } as Record<keyof Times, number[]>;
  const rounds = ground.quick ? 1 : 7;
  for (let round = 0; round <= rounds; round++) {
    for (const name of Object.keys(times) as (keyof Times)[]) {
      const timeMs = await start(ground, starts[name], settings);
      if (round > 0) times[name].push(timeMs);
    }
  }
  return times;
}

async function start(ground: Ground, { folder, path, status, token }: Start, env: Record<string, string>) {
  const startedAt = performance.now();
  // The local host would load its queue client, which in the cloud is another process's.
  const settings = { ...env, ...withoutFollowUps };
  const server = await startServer({ ...host(folder), env: settings, folder: ground.folder });
  const client = createClient(server.url, token);
  try {
    await client.call('GET', path, status);
    return performance.now() - startedAt;
  } finally {
    client.close();
    await server.stop();
  }
}

function toSection(times: Times, ours: Size, theirs: Size): Section {
  const empty = median(times.streamed);
  const row = (figure: string, value: number) => ({
    figure: `start-up: ${figure}`,
    unit: 'ms',
    value: [value],
    against: { name: 'empty functions app', value: [empty] },
    target: { text: 'ratio ≤ 1.3', met: value / empty <= 1.3 },
  });
  const { target: _none, ...classic } = row('empty app, not streaming', median(times.classic));
  return {
    rows: [
      row('to a 401', median(times.refused)),
      row('to a finished run', median(times.finished)),
      classic,
      {
        figure: 'size of the built output: all, read at start',
        unit: 'bytes',
        value: [ours.all, ours.entry],
        against: { name: 'empty functions app', value: [theirs.all, theirs.entry] },
      },
    ],
    details: { times, sizes: { service: ours, empty: theirs } },
  };
}
