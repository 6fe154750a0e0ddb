import { type Follow, listen, poll, wait } from './followers.ts';
import type { Row, Section } from './report.ts';
import { type Ground, startWorld } from './world.ts';

/** Calls for one run, from its create until its client knows the end. */
interface Cost {
  /** Requests to the service, including the create. */
  readonly requests: number;
  readonly engine: readonly string[];
  readonly store: readonly string[];
  /** The create's share. */
  readonly create: { readonly engine: number; readonly store: readonly string[] };
}

const queueMs = 300;
const createAdds = 'merge, read, transaction';

/**
 * Counts the calls to engine and store for a run, for each kind of client. The three mostly idle runs are concurrent.
 */
export async function measureCalls(ground: Ground): Promise<Section> {
  const seconds = ground.quick ? 10 : 30;
  const [polling, waiting, events] = await Promise.all(
    ([poll, wait, listen] as const).map((follow) => costOf(ground, follow, seconds * 1000)),
  );
  if (!polling || !waiting || !events) throw new Error('a client is missing');
  const met = waiting.requests <= 3 && waiting.engine.length <= 2;
  const text = seconds === 30 ? '≤ 3 / 2' : '≤ 3 / 2 in 30 s';
  return {
    rows: [
      toRow(`waiting client, ${seconds} s run`, waiting, polling, { text, met }),
      toRow(`events client, ${seconds} s run`, events, polling),
      createRow(waiting),
    ],
    details: { seconds, polling, waiting, events },
  };
}

async function costOf(ground: Ground, follow: Follow, runMs: number): Promise<Cost> {
  const world = await startWorld(ground, { counted: true });
  const { client, engine, store } = world;
  try {
    // Not counted: the first run of a process also reads keys and project.
    const [warmUp = '', thread = ''] = await world.openThreads(2);
    await client.call('GET', await world.startRun(warmUp), 200);
    await engine.reset();
    await engine.timing({ queueMs, runMs: runMs - queueMs });
    store?.reset();
    const run = await world.startRun(thread);
    const create = { engine: (await engine.calls()).length, store: [...(store?.roundTrips ?? [])] };
    const { calls } = await follow(client, run);
    const engineCalls = (await engine.calls()).map((call) => call.replace(/\/resp_\w+/, '/*'));
    return { requests: calls + 1, engine: engineCalls, store: [...(store?.roundTrips ?? [])], create };
  } finally {
    await world.close();
  }
}

const toRow = (figure: string, cost: Cost, polling: Cost, target?: Row['target']): Row => ({
  figure: `calls: ${figure}`,
  unit: 'to us, to engine, to store',
  value: counts(cost),
  against: { name: 'two-second poller', value: counts(polling) },
  ...(target && { target }),
});

const counts = ({ requests, engine, store }: Cost) => [requests, engine.length, store.length];

function createRow({ create }: Cost): Row {
  const kinds = create.store.toSorted().join(', ');
  return {
    figure: `calls: create (${kinds})`,
    unit: 'to engine, to store',
    value: [create.engine, create.store.length],
    against: { name: 'bare engine call', value: [1, 0] },
    target: { text: createAdds, met: create.engine === 1 && kinds === createAdds },
  };
}
