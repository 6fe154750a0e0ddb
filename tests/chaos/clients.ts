import { scheduler } from 'node:timers/promises';
import type { RunBody } from '../../shared/http/runBody.ts';
import { parseEvents } from '../support/openApi.ts';
import type { Caller } from './caller.ts';
import type { Cluster, Member } from './cluster.ts';
import type { Dice } from './dice.ts';
import type { Creation, Journal, Submission, ThreadSeen } from './journal.ts';

/** Part of every message and instruction; must not appear in any log. */
export const canaryMark = 'chaos-canary';

export interface Scene {
  readonly cluster: Cluster;
  readonly journal: Journal;
  readonly call: Caller;
  /** When clients stop starting new work. */
  readonly until: number;
}

/** Performs random actions until the time is up. */
export async function runClient(scene: Scene, name: string, dice: Dice): Promise<void> {
  for (let turn = 0; Date.now() < scene.until; turn++) {
    const act = dice.weighted<(scene: Scene, dice: Dice, name: string) => Promise<unknown>>([
      [3, createThread],
      [10, converse],
      [2, cancelRun],
      [1.5, deleteThread],
      [2, listThreads],
      [2, readThread],
      [2, readRun],
    ]);
    await act(scene, dice, `${name}-${turn}`);
    await scheduler.wait(dice.between(0, 150));
  }
}

const openThreads = ({ journal }: Scene): ThreadSeen[] =>
  [...journal.threads.values()].filter(({ deletions }) => deletions.length === 0).slice(-12);

const pathOf = ({ projectId, threadId }: Pick<ThreadSeen, 'projectId' | 'threadId'>) =>
  `projects/${projectId}/threads/${threadId}`;

/** Picks when a client disconnects: during a request, after a while, or never. */
const patience = (dice: Dice, hurry = 0.08): number | undefined =>
  dice.weighted([
    [hurry, dice.between(1, 400)],
    [0.6, dice.between(3_000, 8_000)],
    [0.4 - hurry, undefined],
  ]);

async function createThread({ cluster, journal, call }: Scene, dice: Dice): Promise<void> {
  const projectId = dice.pick(cluster.projectIds);
  const response = await call(dice.pick(cluster.members), 'POST', `projects/${projectId}/threads`, {
    vanishAfterMs: patience(dice),
  });
  if (response?.status !== 201) return;
  const { threadId } = response.body;
  journal.threads.set(threadId, { projectId, threadId, deletions: [], deleted: false });
}

/** Creates a run, possibly with a key and retries, and follows it in a random way. */
async function converse(scene: Scene, dice: Dice, name: string): Promise<void> {
  const { cluster } = scene;
  const threads = openThreads(scene);
  if (threads.length === 0) return createThread(scene, dice);
  const thread = dice.pick(threads);
  const canary = `${canaryMark}-${name}.`;
  const keyed = dice.chance(0.6);
  const request = { thread, canary, key: keyed ? `key-${name}` : undefined };
  const attempts = keyed ? dice.between(1, 3) : 1;
  const together = dice.chance(0.4);
  const tries: Promise<string | undefined>[] = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const started = createRun(scene, dice.pick(cluster.members), request, patience(dice));
    tries.push(started);
    if (!together) await started;
    if (!together && attempt > 0) await scheduler.wait(dice.between(0, 500));
  }
  const runPath = (await Promise.all(tries)).find((path) => path !== undefined);
  if (runPath === undefined) return;
  const follow = dice.weighted([
    [4, followEvents],
    [3, waitForEnd],
    [2, poll],
    [2, async () => undefined],
  ]);
  await follow(scene, dice, runPath);
}

async function createRun(
  { journal, call }: Scene,
  member: Member,
  { thread, canary, key }: { thread: ThreadSeen; canary: string; key: string | undefined },
  vanishAfterMs: number | undefined,
): Promise<string | undefined> {
  const { projectId, threadId } = thread;
  const creation: Creation = {
    ...{ projectId, threadId, canary, key, member },
    startedAtMs: Date.now(),
    endedAtMs: Number.POSITIVE_INFINITY,
  };
  journal.creations.push(creation);
  const response = await call(member, 'POST', `${pathOf(thread)}/runs`, {
    body: { message: `How does the login work? ${canary}`, instructions: `Be brief. ${canary}` },
    headers: key === undefined ? {} : { 'Idempotency-Key': key },
    vanishAfterMs,
  });
  creation.endedAtMs = Date.now();
  if (!response) return undefined;
  creation.status = response.status;
  if (response.status !== 201) return undefined;
  const { runId } = response.body;
  creation.runId = runId;
  const path = `${pathOf(thread)}/runs/${runId}`;
  journal.runPaths.push(path);
  return path;
}

const isOver = (run: RunBody): boolean => !['queued', 'in_progress', 'requires_action'].includes(run.status);

/** Submits what a waiting run waits for, possibly more than once, at several workers; or leaves it waiting. */
async function submitOutputs(scene: Scene, dice: Dice, runPath: string, run: RunBody): Promise<void> {
  const { requiredAction } = run;
  if (!requiredAction || dice.chance(0.1)) return;
  const body = {
    toolOutputs: requiredAction.toolCalls.map(({ toolCallId }) => ({
      toolCallId,
      output: `shipped ${canaryMark}-output`,
    })),
    approvals: requiredAction.approvals.map(({ approvalId }) => ({ approvalId, approve: dice.chance(0.7) })),
  };
  const together = dice.chance(0.5);
  const tries: Promise<void>[] = [];
  for (let attempts = dice.between(1, 3); attempts > 0; attempts--) {
    const submitting = submitOnce(scene, dice, runPath, body);
    tries.push(submitting);
    if (!together) await submitting;
  }
  await Promise.all(tries);
}

async function submitOnce({ cluster, journal, call }: Scene, dice: Dice, runPath: string, body: object) {
  const member = dice.pick(cluster.members);
  const submission: Submission = { runId: runPath.slice(runPath.lastIndexOf('/') + 1), member };
  journal.submissions.push(submission);
  const askedAtMs = Date.now();
  const response = await call(member, 'POST', `${runPath}/tool-outputs`, {
    body,
    vanishAfterMs: patience(dice),
  });
  if (!response) return;
  submission.status = response.status;
  if (response.status === 200) journal.see(response.body, askedAtMs);
}

/** Waits until the run has ended, using a random worker for each request. */
async function waitForEnd(scene: Scene, dice: Dice, runPath: string): Promise<void> {
  const { cluster, journal, call } = scene;
  for (let waits = dice.between(1, 8); waits > 0 && Date.now() < scene.until; waits--) {
    const askedAtMs = Date.now();
    const seconds = dice.between(1, 5);
    const response = await call(dice.pick(cluster.members), 'GET', `${runPath}?wait=${seconds}`, {
      waitMs: seconds * 1000,
      vanishAfterMs: patience(dice, 0.15),
    });
    if (response?.status === 404) return;
    if (response?.status !== 200) await scheduler.wait(200);
    else {
      journal.see(response.body, askedAtMs);
      if (isOver(response.body)) return;
      await submitOutputs(scene, dice, runPath, response.body);
    }
  }
}

async function poll(scene: Scene, dice: Dice, runPath: string): Promise<void> {
  const { cluster, journal, call } = scene;
  let etag: string | undefined;
  for (let polls = dice.between(2, 12); polls > 0 && Date.now() < scene.until; polls--) {
    const askedAtMs = Date.now();
    const response = await call(dice.pick(cluster.members), 'GET', runPath, {
      headers: etag === undefined ? {} : { 'If-None-Match': etag },
    });
    if (response?.status === 404) return;
    if (response?.status === 200) {
      etag = response.headers.get('ETag') ?? undefined;
      journal.see(response.body, askedAtMs);
      if (isOver(response.body)) return;
      await submitOutputs(scene, dice, runPath, response.body);
    }
    await scheduler.wait(dice.between(50, 500));
  }
}

/** Returns whether an event id is before another one: an earlier round or sequence number, or less text. */
function isBefore(id: string, after: string | undefined): boolean {
  const [round, sequence, characters] = parseId(id);
  const [lastRound, lastSequence, lastCharacters] = parseId(after ?? '0');
  if (round !== lastRound) return round < lastRound;
  return sequence < lastSequence || characters < lastCharacters;
}

function parseId(id: string): [round: number, sequence: number, characters: number] {
  const [, round = '1', sequence, characters = '0'] = /^(?:(\d+)\.)?(\d+)(?:-(\d+))?$/.exec(id) ?? [];
  return [Number(round), Number(sequence), Number(characters)];
}

/** Streams a run's events to its end, resuming with the last id after each disconnect. */
async function followEvents(scene: Scene, dice: Dice, runPath: string): Promise<void> {
  const { cluster, journal } = scene;
  const texts = new Map<string, string>();
  // Resuming after the first event yields the whole reply, even of a terminal run.
  let after = dice.chance(0.6) ? '0' : undefined;
  let ended = false;
  let late = false;
  let connections = 0;
  let submitting: Promise<void> = Promise.resolve();
  const take = (block: string, askedAtMs: number) => {
    for (const { id, event, data } of parseEvents(`${block}\n\n`)) {
      const content = JSON.parse(data);
      if (id === 'end') {
        // A client that connects to a terminal run receives only its end.
        late = after === undefined;
        ended = true;
      } else if (id === undefined || isBefore(id, after)) {
        journal.violations.add(`${runPath}: event ${id} after event ${after}`);
      }
      after = id;
      if (event === 'run') {
        journal.see(content, askedAtMs);
        submitting = submitting.then(() => submitOutputs(scene, dice, runPath, content));
      } else if (content.delta !== undefined)
        texts.set(content.messageId, (texts.get(content.messageId) ?? '') + content.delta);
    }
  };
  for (const until = scene.until + 15_000; !ended && Date.now() < until; ) {
    const askedAtMs = Date.now();
    connections++;
    const member = dice.pick(cluster.members);
    const vanishAfterMs = dice.chance(0.3) ? dice.between(20, 1_500) : 25_000;
    try {
      const response = await fetch(`${member.url}/api/${runPath}/events`, {
        headers: {
          Authorization: `Bearer ${cluster.token}`,
          ...(after !== undefined && { 'Last-Event-ID': after }),
        },
        signal: AbortSignal.timeout(vanishAfterMs),
      });
      journal.count(String(response.status));
      if (response.status === 404) return;
      if (response.status !== 200) await response.body?.cancel();
      else {
        let text = '';
        for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
          const blocks = (text + chunk).split('\n\n');
          text = blocks.pop() ?? '';
          for (const block of blocks) take(block, askedAtMs);
        }
      }
    } catch (error) {
      // The worker was killed, or this client disconnected.
      if (error instanceof SyntaxError) throw error;
    }
    if (!ended) await scheduler.wait(dice.between(20, 300));
  }
  await submitting;
  if (ended && !late) {
    journal.readings.push({
      runPath,
      runId: runPath.slice(runPath.lastIndexOf('/') + 1),
      texts,
      connections,
    });
  }
}

async function cancelRun({ cluster, journal, call }: Scene, dice: Dice): Promise<void> {
  const paths = journal.runPaths.slice(-6);
  if (paths.length === 0) return;
  const askedAtMs = Date.now();
  const response = await call(dice.pick(cluster.members), 'POST', `${dice.pick(paths)}/cancel`, {
    vanishAfterMs: patience(dice),
  });
  if (response?.status === 200) journal.see(response.body, askedAtMs);
}

async function deleteThread(scene: Scene, dice: Dice): Promise<void> {
  const { cluster, call } = scene;
  const threads = openThreads(scene);
  if (threads.length < 3) return;
  const thread = dice.pick(threads);
  const member = dice.pick(cluster.members);
  const deletion: ThreadSeen['deletions'][number] = { member, startedAtMs: Date.now() };
  thread.deletions.push(deletion);
  const response = await call(member, 'DELETE', pathOf(thread), { vanishAfterMs: patience(dice, 0.2) });
  // The request of a disconnected client continues for an unknown time.
  if (response) deletion.endedAtMs = Date.now();
  if (response?.status === 204) thread.deleted = true;
}

async function listThreads({ cluster, call }: Scene, dice: Dice): Promise<void> {
  let after = '';
  const projectId = dice.pick(cluster.projectIds);
  for (let pages = 0; pages < 3; pages++) {
    const response = await call(
      dice.pick(cluster.members),
      'GET',
      `projects/${projectId}/threads?limit=${dice.between(1, 8)}${after}`,
    );
    if (!response?.body?.hasMore) return;
    after = `&after=${response.body.lastId}`;
  }
}

async function readThread(scene: Scene, dice: Dice): Promise<void> {
  const { cluster, journal, call } = scene;
  const threads = openThreads(scene);
  if (threads.length === 0) return;
  const path = pathOf(dice.pick(threads));
  const member = dice.pick(cluster.members);
  if (dice.chance(0.5)) return void (await call(member, 'GET', `${path}?limit=${dice.between(1, 20)}`));
  const askedAtMs = Date.now();
  const response = await call(member, 'GET', `${path}/runs?limit=${dice.between(1, 20)}`);
  if (response?.status === 200) for (const run of response.body.runs) journal.see(run, askedAtMs);
}

async function readRun({ cluster, journal, call }: Scene, dice: Dice): Promise<void> {
  const paths = journal.runPaths.slice(-20);
  if (paths.length === 0) return;
  const askedAtMs = Date.now();
  const response = await call(dice.pick(cluster.members), 'GET', dice.pick(paths));
  if (response?.status === 200) journal.see(response.body, askedAtMs);
}
