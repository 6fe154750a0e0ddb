import type { Message } from '../../shared/model/thread.ts';
import type { EngineRun } from '../support/engine.ts';
import type { Caller } from './caller.ts';
import { canaryMark } from './clients.ts';
import type { Cluster } from './cluster.ts';
import { type Evidence, isRunning, isUnfinished, type Row } from './evidence.ts';
import { type Creation, differ, type End, type Journal, type Reading, show } from './journal.ts';

/** How long after the engine took a run its worker may still hold what no record says, in milliseconds. */
const pendingWorkMs = 60_000;

interface Case extends Evidence {
  readonly cluster: Cluster;
  readonly journal: Journal;
  readonly call: Caller;
  /** All that the workers have written. */
  readonly log: string;
}

/** Checks everything that is at rest against the invariants. @returns one sentence for each violation */
export async function judge(facts: Case): Promise<string[]> {
  return [
    ...facts.journal.violations,
    ...judgeRecords(facts),
    ...judgeEnds(facts),
    ...judgeCreations(facts),
    ...judgeResponses(facts),
    ...(await judgeDeletions(facts)),
    ...(await judgeLists(facts)),
    ...(await judgeReadings(facts)),
    ...judgeLog(facts),
  ];
}

/** A run is unfinished if and only if its thread names it; and nothing is left unfinished or half deleted. */
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

/** A recorded end is final, and a finished run is never handed to the engine. */
function judgeEnds({ runs, responses, journal }: Case): string[] {
  const responsesOf = Map.groupBy(responses, ({ metadata }) => metadata['runId']);
  return runs.flatMap((row) => {
    const { rowKey: runId, columns } = row;
    const seen = journal.ends.get(runId);
    const end = endOf(row);
    const endedAtMs = (columns['completedAt'] as Date | undefined)?.getTime() ?? Number.POSITIVE_INFINITY;
    const late = (responsesOf.get(runId) ?? []).filter(
      // What was on its way when the run was given up may still arrive.
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

/** One key starts at most one run, and one run at most one response. */
function judgeCreations({ journal, runs, responses }: Case): string[] {
  const rows = new Set(runs.map(({ rowKey }) => rowKey));
  const started = Map.groupBy(responses, ({ inputText }) => /chaos-canary-[\w-]+\./.exec(inputText)?.[0]);
  const byMessage = Map.groupBy(journal.creations, ({ canary }) => canary);
  return [
    ...responses
      .filter(({ responsesOfRun }) => (responsesOfRun ?? 0) > 1)
      .map(({ id, metadata }) => `${id} is not the only response of ${metadata['runId']}`),
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

/** Nothing is left running in the engine that nobody could have known of. */
function judgeResponses(facts: Case): string[] {
  return facts.responses
    .filter((response) => isRunning(response) && !isExcused(facts, response))
    .map(({ id, metadata, status }) => `${id} of ${metadata['runId']} is still ${status} in the engine`);
}

/** Whether a response had to be lost: its worker died with it, or the record says that its outcome is unknown. */
function isExcused({ runs, journal, log }: Case, response: EngineRun): boolean {
  const { runId = '', threadId = '' } = response.metadata;
  const row = runs.find(({ rowKey }) => rowKey === runId);
  if (row && isOutcomeUnknown(row)) return true;
  const creations = journal.creations.filter((creation) => response.inputText.includes(creation.canary));
  const diedWithIt = ({ member }: Creation) =>
    member.kills.some((at) => at > response.createdAtMs - 100 && at < response.createdAtMs + pendingWorkMs);
  if (creations.some(diedWithIt)) return true;
  if (row) return false;
  // Of a thread that is gone: its deletion could not cancel it, or did not know of it.
  return (
    log.split('\n').some((line) => line.includes('cancel_failed') && line.includes(threadId)) ||
    creations.some(({ status = 503 }) => status >= 500)
  );
}

/** What was confirmed as deleted is gone, from the store and from the engine. */
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
      const answer = await call(member, 'GET', `projects/${projectId}/threads?limit=100${after}`);
      if (answer?.status !== 200) return [`the threads of ${projectId} cannot be listed: ${answer?.status}`];
      for (const { threadId } of answer.body.threads) listed.push(threadId);
      if (!answer.body.hasMore) break;
      after = `&after=${answer.body.lastId}`;
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

/** Whoever followed a run to its end has the reply as the thread has it, neither less nor more. */
async function judgeReadings({ cluster, call, journal, runs }: Case): Promise<string[]> {
  const [member] = cluster.members;
  if (!member) return [];
  const statuses = new Map(runs.map(({ rowKey, columns }) => [rowKey, columns['status']]));
  const readings = journal.readings.filter(({ runId }) => statuses.get(runId) === 'completed');
  const byThread = Map.groupBy(readings, ({ runPath }) => runPath.replace(/\/runs\/.*/, ''));
  const compared = [...byThread].map(async ([path, those]) => {
    const messages: Message[] = [];
    for (let after = ''; ; ) {
      const answer = await call(member, 'GET', `${path}?limit=100${after}`);
      if (answer?.status !== 200) return [`${path} cannot be read: ${answer?.status}`];
      messages.push(...answer.body.messages);
      if (!answer.body.hasMore) break;
      after = `&after=${answer.body.lastId}`;
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

/** No log holds what people wrote, nor a failure that nobody thought of. */
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
