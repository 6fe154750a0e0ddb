import { scheduler } from 'node:timers/promises';
import { createCaller } from './caller.ts';
import { runClient, type Scene } from './clients.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { createDice } from './dice.ts';
import { collect, type Row, unsettled } from './evidence.ts';
import { createJournal, type Journal } from './journal.ts';
import { drawPlan, type Strike } from './plan.ts';
import { judge } from './verdict.ts';

const workers = 3;
const clients = 24;

/** Delay of the first follow-up, and visibility timeout of a message whose worker died, in seconds. */
const followUpSeconds = 3;
const leaseSeconds = 10;

/** How long after its start a request may not have sent its follow-up: a claim and a send, with retries. */
const sendMs = 12_000;

/** Timeout for all work to finish without clients, in milliseconds. */
const restMs = 30_000;

export interface ChaosReport {
  readonly seed: number;
  /** One sentence per violation; empty if there is none. */
  readonly violations: readonly string[];
  /** Number of responses by status, and of requests without a response. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Number of injected faults by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly runs: Readonly<Record<string, number>>;
  /** Number of clients that streamed a run's events to its end. */
  readonly readings: number;
  /** Number of runs and deletions whose follow-up was never sent, so that a client request had to finish them. */
  readonly asked: number;
  /** Output of the workers. */
  readonly log: string;
}

/**
 * Runs clients against several workers while store, queue, engine and workers fail as planned. Then waits until all
 * work is finished, and checks the records of store, engine and clients.
 * @param seed of the plan and the clients' decisions. Their timing is not reproducible.
 */
export async function runChaos({ seconds, seed }: { seconds: number; seed: number }): Promise<ChaosReport> {
  const cluster = await startCluster(workers);
  try {
    const plan = drawPlan(createDice(seed, 'plan'), seconds, workers);
    const journal = createJournal();
    const until = Date.now() + seconds * 1000;
    const scene: Scene = { cluster, journal, call: createCaller(journal, cluster.token), until };
    cluster.store.page(seed);
    cluster.queue.deliver(followUpSeconds, leaseSeconds);
    await Promise.all([
      carryOut(plan, cluster),
      ...Array.from({ length: clients }, (_, index) =>
        runClient(scene, `${seed}-${index}`, createDice(seed, `client ${index}`)),
      ),
    ]);
    const asked = await comeToRest(scene);
    await closeConnections(cluster, journal);
    const evidence = await collect(cluster);
    const log = logOf(cluster);
    return {
      seed,
      violations: await judge({ ...evidence, ...scene, log }),
      outcomes: Object.fromEntries([...journal.statuses].sort()),
      faults: countBy(plan, ({ kind }) => kind),
      runs: countBy(evidence.runs, ({ columns }) => columns['errorCode'] ?? columns['status']),
      readings: journal.readings.length,
      asked,
      log,
    };
  } finally {
    await cluster.close();
  }
}

const logOf = ({ members }: Cluster): string => members.map((member) => member.log()).join('\n');

/** Executes the plan, then removes all faults. */
async function carryOut(plan: readonly Strike[], cluster: Cluster): Promise<void> {
  const startedAt = Date.now();
  const strikes: Promise<unknown>[] = [];
  // Sequentially for each worker and for the store, because neither can be stopped twice.
  let away: Promise<unknown> = Promise.resolve();
  for (const { atMs, kind, strike } of plan) {
    await scheduler.wait(Math.max(0, startedAt + atMs - Date.now()));
    if (kind === 'worker kill' || kind === 'store away') {
      away = away.then(() => strike(cluster));
      strikes.push(away);
    } else strikes.push(strike(cluster));
  }
  await Promise.all(strikes);
  cluster.store.reset();
  cluster.queue.forgetFaults();
  await cluster.engine.reset();
}

/**
 * Waits until runs have ended and deletions are complete without client requests, and requests those without a
 * follow-up.
 * @returns the number of requested ones.
 */
async function comeToRest({ cluster, journal, call }: Scene): Promise<number> {
  let left: Row[] = [];
  for (const until = Date.now() + restMs; ; await scheduler.wait(500)) {
    left = unsettled(await collect(cluster));
    if (left.length === 0) return 0;
    if (Date.now() > until) break;
  }
  const log = logOf(cluster).split('\n');
  for (const row of left) {
    if (!isForgotten(row, cluster, journal, log)) {
      journal.violations.add(
        `${row.rowKey} of ${row.threadId} did not come to rest: ${JSON.stringify(row.columns)}`,
      );
    }
  }
  const [member] = cluster.members;
  const threads = new Map(left.map((row) => [row.threadId, row]));
  for (const { projectId, threadId } of member ? threads.values() : []) {
    const path = `projects/${projectId}/threads/${threadId}`;
    const closed = left.some((row) => row.threadId === threadId && row.columns['closed']);
    if (member) await call(member, closed ? 'DELETE' : 'GET', path);
  }
  return threads.size;
}

/** Returns whether the follow-up was never sent: the queue refused it, or the worker died before. */
function isForgotten(
  { threadId, columns }: Row,
  { members }: Cluster,
  journal: Journal,
  log: readonly string[],
): boolean {
  if (log.some((line) => line.includes('follow_up_not_sent') && line.includes(threadId))) return true;
  // The worker of a thread that no client knows is unknown.
  const openedAtMs = (columns['createdAt'] as Date | undefined)?.getTime() ?? 0;
  if (!journal.threads.has(threadId)) return members.some(({ kills }) => kills.some(isDuring(openedAtMs)));
  const creations = journal.creations.filter((creation) => creation.threadId === threadId);
  const deletions = journal.threads.get(threadId)?.deletions ?? [];
  // In production the follow-up arrives later than any request ends; here it may arrive before the thread is closed.
  const cameEarly = deletions.some(
    ({ startedAtMs, endedAtMs = Number.POSITIVE_INFINITY }) =>
      endedAtMs > startedAtMs + followUpSeconds * 900,
  );
  if (cameEarly) return true;
  return [...creations, ...deletions].some(({ member, startedAtMs }) =>
    member.kills.some(isDuring(startedAtMs)),
  );
}

const isDuring = (startedAtMs: number) => (at: number) => at > startedAtMs - 100 && at < startedAtMs + sendMs;

/** Checks that no invocation and no stream of the engine outlives the clients. */
async function closeConnections({ members, engine }: Cluster, journal: Journal): Promise<void> {
  const open = async () => {
    const statuses = await Promise.all(members.map((member) => member.status()));
    const invocations = statuses.reduce((sum, { openInvocations }) => sum + openInvocations, 0);
    return {
      invocations,
      streams: await engine.openStreams(),
      restarts: statuses.filter((s) => s.workerStarts > 1),
    };
  };
  for (const until = Date.now() + 20_000; ; await scheduler.wait(250)) {
    const { invocations, streams, restarts } = await open();
    if (restarts.length > 0) journal.violations.add('a worker crashed by itself');
    if (invocations === 0 && streams === 0) return;
    if (Date.now() > until) {
      journal.violations.add(`${invocations} invocations and ${streams} streams of the engine stay open`);
      return;
    }
  }
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const groups = [...Map.groupBy(items, keyOf)].map(([key, group]): [string, number] => [key, group.length]);
  return Object.fromEntries(groups.sort());
}
