import type { IncomingMessage } from 'node:http';
import { scheduler } from 'node:timers/promises';
import { toResponseParams } from '../../shared/engine/responseParams.ts';
import { testAssistants } from '../support/backends.ts';
import { type Client, createClient } from './client.ts';
import type { Row, Section } from './report.ts';
import { median, summarize } from './statistics.ts';
import { type Ground, message, runIdOf, startWorld, type World } from './world.ts';

/*
 * Measures how long a client waits for the first text of a reply, through `/events` and from the engine's stream. Each
 * pair is measured in succession, in alternating order; the figure is the median of their ratios.
 */

/** Duration of a run for which the emulator sends the first word after 400 ms: the search takes 0.15 of it. */
const timing = { queueMs: 100, runMs: 2_000 };

/** When a late client connects, in milliseconds after the create: before and after the first text. */
const beforeTextMs = 200;
const behindTextMs = 700;

const most = 1.2;

/** A way to get the first text; resolves with its duration in milliseconds. */
type Way = () => Promise<number>;

interface Pair {
  readonly ours: number;
  readonly engine: number;
}

/** Measures the latency of the first text. */
export async function measureFirstText(ground: Ground): Promise<Section> {
  const world = await startWorld(ground);
  const api = createClient(world.engine.url, 'bench-engine-key');
  const count = ground.quick ? 4 : 40;
  try {
    await world.warmUp(ground.quick ? 8 : 100);
    await world.engine.timing(timing);
    const pairs = async (ours: Way, engine: Way) => {
      const taken: Pair[] = [];
      for (let index = -1; index < count; index++) {
        const oursFirst = index % 2 === 0;
        const first = await (oursFirst ? ours : engine)();
        const second = await (oursFirst ? engine : ours)();
        // The first pair is a warm-up.
        if (index >= 0)
          taken.push(oursFirst ? { ours: first, engine: second } : { ours: second, engine: first });
      }
      return taken;
    };
    const created = await pairs(
      () => throughEvents(world),
      () => throughEngine(world, api),
    );
    const before = await pairs(
      () => later(world, beforeTextMs, (run) => events(world, run)),
      () => later(world, beforeTextMs, (run) => engineStream(world, api, run)),
    );
    const behind = await pairs(
      () => later(world, behindTextMs, (run) => events(world, run)),
      () => later(world, behindTextMs, (run) => engineStream(world, api, run)),
    );
    return {
      rows: [
        toRow('from the create on', created),
        toRow('connecting later, before it is there', before),
        toRow('connecting later, when it is there', behind),
      ],
      details: { timing, created, before, behind },
    };
  } finally {
    api.close();
    await world.close();
  }
}

/** Starts a run and reads its events. */
async function throughEvents({ client, openThreads, startRun }: World): Promise<number> {
  const [thread = ''] = await openThreads(1);
  const startedAt = performance.now();
  const run = await startRun(thread);
  return untilText(client.open(`${run}/events`), 'event: message.delta', startedAt);
}

/** Creates a response as the service does and reads its stream. */
async function throughEngine({ project }: World, api: Client): Promise<number> {
  const { text } = await api.call('POST', '/conversations', 200, {});
  const [assistant] = testAssistants;
  if (!assistant) throw new Error('there is no assistant');
  const now = new Date();
  const { projectId } = project;
  const params = toResponseParams({
    run: {
      ...{ runId: 'run_direct', threadId: 'thread_direct', projectId, assistantId: assistant.id },
      ...{ status: 'queued', createdAt: now, expiresAt: now },
    },
    assistant: assistant as Parameters<typeof toResponseParams>[0]['assistant'],
    project,
    input: { message, instructions: null },
    conversationId: JSON.parse(text).id,
  });
  const startedAt = performance.now();
  return untilText(api.open('/responses', params), 'event: response.output_text.delta', startedAt);
}

/** Starts a run, connects to it later, and measures from then on. */
async function later(
  { openThreads, startRun }: World,
  afterMs: number,
  connect: (run: string) => Promise<Way>,
): Promise<number> {
  const [thread = ''] = await openThreads(1);
  const createdAt = performance.now();
  const run = await startRun(thread);
  const way = await connect(run);
  await scheduler.wait(Math.max(0, afterMs - (performance.now() - createdAt)));
  return way();
}

const events = async ({ client }: World, run: string): Promise<Way> => {
  return () => untilText(client.open(`${run}/events`), 'event: message.delta', performance.now());
};

async function engineStream({ engine }: World, api: Client, run: string): Promise<Way> {
  const response = (await engine.runs()).find(({ metadata }) => metadata['runId'] === runIdOf(run));
  const path = `/responses/${response?.id}?stream=true`;
  return () => untilText(api.open(path), 'event: response.output_text.delta', performance.now());
}

/** Reads a stream. @returns milliseconds until the event arrives. */
async function untilText(opening: Promise<IncomingMessage>, event: string, startedAt: number) {
  const stream = await opening;
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    text += chunk;
    if (!text.includes(event)) continue;
    const ms = performance.now() - startedAt;
    stream.destroy();
    return ms;
  }
  throw new Error('the stream ended without text');
}

function toRow(figure: string, pairs: readonly Pair[]): Row {
  const ours = summarize(pairs.map((pair) => pair.ours));
  const engine = summarize(pairs.map((pair) => pair.engine));
  const ratio = median(pairs.map((pair) => pair.ours / pair.engine));
  return {
    figure: `first text: ${figure}`,
    unit: 'p50/p95 ms, median ratio of pairs',
    value: [ours.p50Ms, ours.p95Ms, ratio],
    against: { name: "the engine's own stream", value: [engine.p50Ms, engine.p95Ms, 1] },
    target: { text: `ratio ≤ ${most}`, met: ratio <= most },
  };
}
