import { testAssistants } from '../support/backends.ts';
import { type Client, createClient } from './client.ts';
import { load, type Measured, pool } from './load.ts';
import type { Section } from './report.ts';
import { requestRows } from './requestRows.ts';
import { type Server, startServer } from './servers.ts';
import { type Ground, host, message, startWorld, type World } from './world.ts';

/** The measured requests, all at every level of concurrency. */
export const subjects = ['create', 'unfinished', 'finished', 'streamed', 'classic', 'bare', 'http'] as const;
export type Subject = (typeof subjects)[number];

/** Measurements at one level of concurrency. */
export interface Level {
  readonly inFlight: number;
  readonly measured: Readonly<Record<Subject, Measured>>;
}

interface Target {
  readonly server: Server;
  readonly send: (index: number) => Promise<unknown>;
}

/** Number of runs that the gets read in turn. */
const lookedAt = 32;

/** CPU usage, in cores, from which the client may have been the bottleneck. */
const busyClient = 0.9;

/** Longer than the benchmark, shorter than the service's run timeout. */
const neverMs = 500_000;

const levels = (quick: boolean) =>
  [1, 16, 64].map((inFlight) => ({ inFlight, count: quick ? 32 : inFlight === 1 ? 250 : 640 }));

/** Measures create and get with their baselines: a function that does nothing, and the bare call to the engine. */
export async function measureRequests(ground: Ground): Promise<Section> {
  const world = await startWorld(ground);
  const { folder, apps } = ground;
  const bareEnv = { OPENAI_BASE_URL: world.engine.url, OPENAI_API_KEY: 'bench-engine-key' };
  const [streamed, classic, bare] = await Promise.all([
    startServer({ ...host(apps.streamed), folder }),
    startServer({ ...host(apps.classic), folder }),
    startServer({ script: './bareServer.ts', env: bareEnv, folder }),
  ]);
  const token = await ground.issuer.sign({ projects: [world.project.projectId] });
  const clients = [streamed, classic, bare].map(({ url }) => createClient(url, token));
  const [streamedClient, classicClient, bareClient] = clients as [Client, Client, Client];
  const constant = (server: Server, client: Client, path: string): Target => ({
    server,
    send: () => client.call('GET', path, 200),
  });
  try {
    // The first level is a warm-up.
    const plan = [{ inFlight: 16, count: ground.quick ? 32 : 250 }, ...levels(ground.quick)];
    const total = plan.reduce((sum, { count }) => sum + count, 0);
    const targets: Record<Subject, Target> = {
      ...(await serviceTargets(world, total)),
      streamed: constant(streamed, streamedClient, '/api/constant'),
      classic: constant(classic, classicClient, '/api/constant'),
      bare: await bareTarget(world, bare, bareClient, total),
      http: constant(bare, bareClient, '/'),
    };
    const [, ...measured] = await measureLevels(targets, plan);
    return { rows: requestRows(measured), details: measured, notes: busyNotes(measured) };
  } finally {
    for (const client of clients) client.close();
    await Promise.all([streamed.stop(), classic.stop(), bare.stop()]);
    await world.close();
  }
}

const busyNotes = (levels: readonly Level[]): string[] =>
  levels.flatMap(({ inFlight, measured }) =>
    subjects
      .filter((subject) => measured[subject].clientLoad > busyClient)
      .map((subject) => `The client may have been the limit of: ${subject}, ${inFlight} in flight.`),
  );

async function measureLevels(
  targets: Readonly<Record<Subject, Target>>,
  plan: readonly { inFlight: number; count: number }[],
): Promise<Level[]> {
  const done: Level[] = [];
  let sent = 0;
  for (const { inFlight, count } of plan) {
    const measured: Partial<Record<Subject, Measured>> = {};
    for (const subject of subjects) {
      const { server, send } = targets[subject];
      const first = sent;
      measured[subject] = await load(server, { inFlight, count }, (index) => send(first + index));
    }
    sent += count;
    done.push({ inFlight, measured: measured as Level['measured'] });
  }
  return done;
}

/** @param creates number of runs to start; each needs an idle thread. */
async function serviceTargets({ app, client, engine, openThreads, startRun }: World, creates: number) {
  const threads = await openThreads(creates + 2 * lookedAt);
  const finished = await pool(lookedAt, 8, async (index) => {
    const run = await startRun(threads[creates + index] ?? '');
    await client.call('GET', run, 200);
    return run;
  });
  await engine.timing({ queueMs: neverMs });
  const unfinished = await pool(lookedAt, 8, (index) => startRun(threads[creates + lookedAt + index] ?? ''));
  await engine.timing({ queueMs: 0 });
  const get = (runs: readonly string[]) => (index: number) =>
    client.call('GET', runs[index % lookedAt] ?? '', 200);
  return {
    create: { server: app, send: (index: number) => startRun(threads[index] ?? '') },
    unfinished: { server: app, send: get(unfinished) },
    finished: { server: app, send: get(finished) },
  };
}

async function bareTarget(
  { engine, project }: World,
  server: Server,
  client: Client,
  creates: number,
): Promise<Target> {
  const api = createClient(engine.url, 'bench-engine-key');
  const conversations = await pool(creates, 16, async () => {
    const { text } = await api.call('POST', '/conversations', 200, {});
    return String(JSON.parse(text).id);
  });
  api.close();
  const [assistant] = testAssistants;
  const run = { projectId: project.projectId, threadId: 'thread_bare', runId: 'run_bare' };
  const input = { message, instructions: null };
  return {
    server,
    send: (index) =>
      client.call('POST', '/', 201, {
        run,
        assistant,
        project,
        input,
        conversationId: conversations[index],
      }),
  };
}
