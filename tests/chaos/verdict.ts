import type { Message } from '../../shared/model/message.ts';
import type { EngineRun } from '../support/engine.ts';
import type { Caller } from './caller.ts';
import { canaryMark } from './clients.ts';
import type { Cluster } from './cluster.ts';
import { type Evidence, isRunning, isUnfinished, type Row } from './evidence.ts';
import {
  type Creation,
  differ,
  type End,
  type Journal,
  type Reading,
  type Submission,
  show,
} from './journal.ts';

/** How long after the engine accepted a run its worker may not have recorded it, in milliseconds. */
const pendingWorkMs = 60_000;

interface Case extends Evidence {
  readonly cluster: Cluster;
  readonly journal: Journal;
  readonly call: Caller;
  /** Output of the workers. */
  readonly log: string;
}

/** Checks the final state against the invariants. @returns one sentence per violation. */
export async function judge(facts: Case): Promise<string[]> {
  return [
    ...facts.journal.violations,
    ...judgeRecords(facts),
    ...judgeEnds(facts),
    ...judgeCreations(facts),
    ...judgeRounds(facts),
    ...judgeResponses(facts),
    ...(await judgeDeletions(facts)),
    ...(await judgeLists(facts)),
    ...(await judgeReadings(facts)),
    ...judgeLog(facts),
    // Last, because it starts runs.
    ...(await judgeThreads(facts)),
  ];
}

/** A run is active if and only if it is its thread's active run; no run is active and no deletion incomplete. */
function judgeRecords({ threads, runs }: Case): string[] {
  const open = new Map(threads.map((row) => [row.threadId, row.columns]));
  return [
    ...runs.filter(isUnfinished).map(({ rowKey, columns }) => `${rowKey} is still ${columns['status']}`),
    ...threads
      .filter(({ columns }) => columns['activeRunId'])
      .map(({ threadId, columns }) => `${threadId} still names ${columns['activeRunId']}`),
    ...threads
      .filter(({ columns }) => columns['closed'])
      .map(({ threadId }) => `${threadId} is closed, but there`),
    ...runs
      .filter(({ threadId }) => !open.has(threadId))
      .map(({ rowKey }) => `${rowKey} is left without its thread`),
  ];
}

const endOf = ({ columns }: Row): End => ({
  status: columns['status'],
  completedAt: (columns['completedAt'] as Date | undefined)?.toISOString() ?? null,
  errorCode: columns['errorCode'],
});

/** A recorded end is final, and a terminal run is never submitted. */
function judgeEnds({ runs, responses, journal }: Case): string[] {
  const responsesOf = Map.groupBy(responses, ({ metadata }) => metadata['runId']);
  return runs.flatMap((row) => {
    const { rowKey: runId, columns } = row;
    const seen = journal.ends.get(runId);
    const end = endOf(row);
    const endedAtMs = (columns['completedAt'] as Date | undefined)?.getTime() ?? Number.POSITIVE_INFINITY;
    const late = (responsesOf.get(runId) ?? []).filter(
      // A submission in flight when the run expired may still arrive.
      ({ createdAtMs }) =>
        createdAtMs > endedAtMs && !isOutcomeUnknown(row) && columns['status'] !== 'cancelled',
    );
    return [
      ...(seen && differ(seen, end) ? [`${runId} was seen as ${show(seen)} and is ${show(end)}`] : []),
      ...late.map(
        ({ id, status }) => `${runId} ended as ${show(end)}, and then ${id} was created (${status})`,
      ),
    ];
  });
}

const isOutcomeUnknown = ({ columns }: Row): boolean =>
  /outcome is unknown/.test(columns['errorMessage'] ?? '');

/** One key starts at most one run. */
function judgeCreations({ journal, runs, responses }: Case): string[] {
  const rows = new Set(runs.map(({ rowKey }) => rowKey));
  const started = Map.groupBy(responses, ({ inputText }) => /chaos-canary-[\w-]+\./.exec(inputText)?.[0]);
  const byMessage = Map.groupBy(journal.creations, ({ canary }) => canary);
  return [
    ...[...byMessage].flatMap(([canary, attempts]) => {
      const found = started.get(canary) ?? [];
      const runIds = new Set(attempts.flatMap(({ runId }) => runId ?? []));
      const refused = attempts.every(({ status = 0 }) => status >= 400 && status < 500);
      const thread = journal.threads.get(attempts[0]?.threadId ?? '');
      return [
        ...(found.length > 1 ? [`${canary} started ${found.map(({ id }) => id).join(' and ')}`] : []),
        ...(runIds.size > 1 ? [`one key was answered with ${[...runIds].join(' and ')}`] : []),
        ...(refused
          ? found.filter(isRunning).map(({ id }) => `${id} runs though its create was refused`)
          : []),
        ...(thread?.deletions.length
          ? []
          : [...runIds].filter((runId) => !rows.has(runId)).map((runId) => `${runId} has no record`)),
      ];
    }),
  ];
}

/** The message of a run, and the output of each of its calls, is in the engine at most once. */
function judgeRounds({ responses }: Case): string[] {
  const rounds = Map.groupBy(responses, ({ metadata }) => metadata['runId']);
  return [...rounds].flatMap(([runId, those]) => {
    const inputs = those.flatMap(({ input }) => input.map(toInputKey));
    const twice = new Set(inputs.filter((key, index) => inputs.indexOf(key) < index));
    const empty = those
      .filter(({ input }) => input.length === 0)
      .map(({ id }) => `${id} of ${runId} has no input`);
    return [...[...twice].map((key) => `${runId}: the engine has its ${key} twice`), ...empty];
  });
}

function toInputKey(item: EngineRun['input'][number]): string {
  if (item.type === 'function_call_output') return `output of ${item.call_id}`;
  if (item.type === 'mcp_approval_response') return `decision on ${item.approval_request_id}`;
  return item.type;
}

/** How many threads with tool calls are tried. */
const triedThreads = 12;

/** No thread with tool calls is left in a state that the engine refuses to continue. */
async function judgeThreads({ cluster, call, threads, runs }: Case): Promise<string[]> {
  const [member] = cluster.members;
  if (!member) return [];
  const called = new Set(
    runs.filter(({ columns }) => columns['pendingCalls']).map(({ threadId }) => threadId),
  );
  const tried = threads.filter(({ threadId, columns }) => called.has(threadId) && !columns['closed']);
  const results = tried.slice(-triedThreads).map(async ({ projectId, threadId }) => {
    const path = `projects/${projectId}/threads/${threadId}/runs`;
    const created = await call(member, 'POST', path, { body: { message: `Hello ${canaryMark}` } });
    if (created?.status !== 201) return [`${threadId} takes no message: ${created?.status}`];
    const run = `${path}/${created.body.runId}`;
    let response = await call(member, 'GET', `${run}?wait=5`, { waitMs: 5_000 });
    for (let waits = 0; waits < 5 && response?.body?.completedAt === null; waits++) {
      response = await call(member, 'GET', `${run}?wait=5`, { waitMs: 5_000 });
    }
    const { status } = response?.body ?? {};
    return status === 'completed' ? [] : [`${threadId} does not go on: ${JSON.stringify(response?.body)}`];
  });
  return (await Promise.all(results)).flat();
}

/** Nothing is left active in the engine without a reason. */
function judgeResponses(facts: Case): string[] {
  return facts.responses
    .filter((response) => isRunning(response) && !isExcused(facts, response))
    .map(({ id, metadata, status }) => `${id} of ${metadata['runId']} is still ${status} in the engine`);
}

/** Returns whether a response may be lost: its worker was killed, or its outcome is recorded as unknown. */
function isExcused({ runs, journal, log }: Case, response: EngineRun): boolean {
  const { runId = '', threadId = '' } = response.metadata;
  const row = runs.find(({ rowKey }) => rowKey === runId);
  if (row && isOutcomeUnknown(row)) return true;
  const creations = journal.creations.filter((creation) => response.inputText.includes(creation.canary));
  const submissions = journal.submissions.filter((submission) => submission.runId === runId);
  const attempts = [...creations, ...submissions];
  const diedWithIt = ({ member }: Creation | Submission) =>
    member.kills.some((at) => at > response.createdAtMs - 100 && at < response.createdAtMs + pendingWorkMs);
  if (attempts.some(diedWithIt)) return true;
  if (row) return false;
  // Its thread was deleted without cancelling it, because that failed or the response was unknown.
  return (
    log.split('\n').some((line) => line.includes('cancel_failed') && line.includes(threadId)) ||
    attempts.some(({ status = 503 }) => status >= 500)
  );
}

/** Confirmed deletions have removed everything from the store and the engine. */
async function judgeDeletions({ cluster, journal, threads, responses }: Case): Promise<string[]> {
  const kept = new Set(threads.map(({ threadId }) => threadId));
  const gone = [...journal.threads.values()].filter(
    ({ threadId, deleted }) => deleted && !kept.has(threadId),
  );
  const left = [...journal.threads.values()].filter(({ threadId, deleted }) => deleted && kept.has(threadId));
  const conversations = new Map(
    responses.map(({ metadata, conversation }) => [metadata['threadId'], conversation]),
  );
  const checked = await Promise.all(
    gone.map(async ({ threadId }) => {
      const conversation = conversations.get(threadId);
      if (!conversation) return [];
      const { status } = await fetch(`${cluster.engine.url}/conversations/${conversation}`, {
        headers: { Authorization: 'Bearer chaos-engine-key' },
      });
      return status === 404 ? [] : [`${threadId} was deleted, and its conversation answers ${status}`];
    }),
  );
  return [...left.map(({ threadId }) => `${threadId} was deleted, and is there`), ...checked.flat()];
}

/** Each project lists exactly its open threads. */
async function judgeLists({ cluster, call, threads }: Case): Promise<string[]> {
  const [member] = cluster.members;
  if (!member) return [];
  const lists = cluster.projectIds.map(async (projectId) => {
    const listed: string[] = [];
    for (let after = ''; ; ) {
      const response = await call(member, 'GET', `projects/${projectId}/threads?limit=100${after}`);
      if (response?.status !== 200)
        return [`the threads of ${projectId} cannot be listed: ${response?.status}`];
      for (const { threadId } of response.body.threads) listed.push(threadId);
      if (!response.body.hasMore) break;
      after = `&after=${response.body.lastId}`;
    }
    const open = threads.filter((row) => row.projectId === projectId && !row.columns['closed']);
    const expected = new Set(open.map(({ threadId }) => threadId));
    const known = new Set(listed);
    return [
      ...(known.size < listed.length ? [`${projectId} lists a thread twice`] : []),
      ...[...known].filter((id) => !expected.has(id)).map((id) => `${id} is listed, and not there`),
      ...[...expected].filter((id) => !known.has(id)).map((id) => `${id} is there, and not listed`),
    ];
  });
  return (await Promise.all(lists)).flat();
}

/** Every client that streamed a run to its end has exactly the reply in the thread. */
async function judgeReadings({ cluster, call, journal, runs }: Case): Promise<string[]> {
  const [member] = cluster.members;
  if (!member) return [];
  const statuses = new Map(runs.map(({ rowKey, columns }) => [rowKey, columns['status']]));
  const readings = journal.readings.filter(({ runId }) => statuses.get(runId) === 'completed');
  const byThread = Map.groupBy(readings, ({ runPath }) => runPath.replace(/\/runs\/.*/, ''));
  const compared = [...byThread].map(async ([path, those]) => {
    const messages: Message[] = [];
    for (let after = ''; ; ) {
      const response = await call(member, 'GET', `${path}?limit=100${after}`);
      if (response?.status !== 200) return [`${path} cannot be read: ${response?.status}`];
      messages.push(...response.body.messages);
      if (!response.body.hasMore) break;
      after = `&after=${response.body.lastId}`;
    }
    return those.flatMap((reading) => compare(reading, messages, journal));
  });
  return (await Promise.all(compared)).flat();
}

function compare(reading: Reading, messages: readonly Message[], journal: Journal): string[] {
  const { runId, texts, connections } = reading;
  const { canary = '' } = journal.creations.find((creation) => creation.runId === runId) ?? {};
  const asked = messages.findIndex(({ role, content }) => role === 'user' && content.includes(canary));
  const next = messages.findIndex(({ role }, index) => index > asked && role === 'user');
  const reply = messages.slice(asked + 1, next < 0 ? undefined : next);
  const where = `${runId} (${connections} connections)`;
  return [
    ...reply
      .filter(({ messageId, content }) => texts.get(messageId) !== content)
      .map(({ messageId, content }) => {
        const text = texts.get(messageId) ?? '';
        return `${where}: events gave ${text.length} characters of ${messageId}, the thread has ${content.length}`;
      }),
    ...[...texts.keys()]
      .filter((messageId) => !reply.some((message) => message.messageId === messageId))
      .map((messageId) => `${where}: events gave ${messageId}, which is not in the reply`),
  ];
}

/** No log contains user content or an unexpected failure. */
function judgeLog({ log }: Case): string[] {
  const suspicious = /"stack":|Unhandled|the worker crashed|^\s+at |run_feed_failed/;
  const lines = log.split('\n');
  return [
    ...lines.filter((line) => line.includes(canaryMark)).map((line) => `a log quotes a message: ${line}`),
    ...new Set(
      lines
        .filter((line) => suspicious.test(line))
        .map((line) => `unexpected in a log: ${line.slice(0, 600)}`),
    ),
  ];
}
