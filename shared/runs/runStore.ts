import { type TableClient, type TableEntityResult, TableTransaction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { roundTrip, type StoreRefusal } from '../storage/tables.ts';
import type { Thread } from '../threads/thread.ts';
import type { IdempotencyKey } from './idempotency.ts';
import type { Run, RunStatus } from './run.ts';
import { isFinished } from './state.ts';

/*
 * A thread and all its runs are one partition, and one transaction changes both. What that keeps true:
 * a run is unfinished if and only if its thread's activeRunId names it.
 */

/** Something read from or written to the store, with the version it had then. */
export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
}

/** What a claim came to: the run stored, or why not. `taken`: the thread changed; `repeated`: the key is known. */
export type Claim = Stored<Run> | 'taken' | 'repeated';

export interface RunStore {
  addThread(thread: Thread): Promise<'added' | 'exists'>;
  findThread(projectId: string, threadId: string): Promise<Stored<Thread> | undefined>;
  findRun(projectId: string, threadId: string, runId: string): Promise<Stored<Run> | undefined>;
  /** The run that a key started, with the fingerprint of what was asked then. */
  findKey(thread: Thread, key: IdempotencyKey): Promise<{ runId: string; fingerprint: string } | undefined>;
  /** Gives a free thread to a new run, with the key it came with, in one transaction. */
  claim(thread: Stored<Thread>, run: Run, key?: IdempotencyKey): Promise<Claim>;
  /**
   * Writes a run's next state, in one transaction with freeing its thread when the run ended.
   * @param forget a key to drop along with it.
   * @returns undefined when someone else changed the run in the meantime: nothing is written then.
   */
  save(before: Stored<Run>, run: Run, forget?: IdempotencyKey): Promise<Stored<Run> | undefined>;
}

interface ThreadRow {
  createdAt: Date;
  conversationId: string;
  /** Empty when no run is active: a merge cannot remove a property. */
  activeRunId: string;
}

interface RunRow {
  status: RunStatus;
  assistantId: string;
  createdAt: Date;
  expiresAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  errorMessage?: string;
  responseId?: string;
  inputTokens?: number;
  outputTokens?: number;
  totalTokens?: number;
}

interface KeyRow {
  runId: string;
  fingerprint: string;
}

const threadRow = 'thread';

const partition = ({ projectId, threadId }: { projectId: string; threadId: string }) =>
  `${projectId}:${threadId}`;

/** @param deadline of the request that uses it; without one each round trip has its own limit only. */
export function createRunStore(table: TableClient, deadline?: Deadline): RunStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[0]) => roundTrip(call, deadline);
  const submit = (transaction: TableTransaction) =>
    once((options) => table.submitTransaction(transaction.actions, options));

  const store: RunStore = {
    async addThread(thread) {
      const row = { partitionKey: partition(thread), rowKey: threadRow, ...toThreadRow(thread) };
      const answer = await once((options) => table.createEntity(row, options));
      return answer === 'exists' ? 'exists' : 'added';
    },

    async findThread(projectId, threadId) {
      const key = partition({ projectId, threadId });
      const row = await once((options) => table.getEntity<ThreadRow>(key, threadRow, options));
      return typeof row === 'object'
        ? { value: toThread(row, projectId, threadId), etag: row.etag }
        : undefined;
    },

    async findRun(projectId, threadId, runId) {
      const key = partition({ projectId, threadId });
      const row = await once((options) => table.getEntity<RunRow>(key, runId, options));
      return typeof row === 'object'
        ? { value: toRun(row, projectId, threadId, runId), etag: row.etag }
        : undefined;
    },

    async findKey(thread, key) {
      const row = await once((options) => table.getEntity<KeyRow>(partition(thread), key.rowKey, options));
      return typeof row === 'object' ? { runId: row.runId, fingerprint: row.fingerprint } : undefined;
    },

    async claim(thread, run, key) {
      const partitionKey = partition(run);
      const transaction = new TableTransaction();
      transaction.updateEntity({ partitionKey, rowKey: threadRow, activeRunId: run.runId }, 'Merge', {
        etag: thread.etag,
      });
      transaction.createEntity({ partitionKey, rowKey: run.runId, ...toRunRow(run) });
      if (key) {
        transaction.createEntity({
          partitionKey,
          rowKey: key.rowKey,
          runId: run.runId,
          fingerprint: key.fingerprint,
        });
      }
      const answer = await submit(transaction);
      if (typeof answer === 'object') {
        return { value: run, etag: answer.subResponses[1]?.etag ?? '' };
      }
      // The client repeats a transaction whose answer was lost, and then meets its own first try.
      const own = await store.findRun(run.projectId, run.threadId, run.runId);
      return own ?? toClaimRefusal(answer);
    },

    async save(before, run, forget) {
      const partitionKey = partition(run);
      const row = { partitionKey, rowKey: run.runId, ...toRunRow(run) };
      if (!isFinished(run)) {
        const answer = await once((options) =>
          table.updateEntity(row, 'Merge', { etag: before.etag, ...options }),
        );
        return typeof answer === 'object' ? { value: run, etag: answer.etag ?? '' } : undefined;
      }
      const transaction = new TableTransaction();
      transaction.updateEntity(row, 'Merge', { etag: before.etag });
      // No version is needed here: while the run is unfinished, nobody else can have claimed its thread.
      transaction.updateEntity({ partitionKey, rowKey: threadRow, activeRunId: '' }, 'Merge', { etag: '*' });
      if (forget) transaction.deleteEntity(partitionKey, forget.rowKey);
      const answer = await submit(transaction);
      return typeof answer === 'object'
        ? { value: run, etag: answer.subResponses[0]?.etag ?? '' }
        : undefined;
    },
  };
  return store;
}

const toClaimRefusal = (answer: StoreRefusal) => (answer === 'exists' ? 'repeated' : 'taken');

const toThreadRow = (thread: Thread): ThreadRow => ({
  createdAt: thread.createdAt,
  conversationId: thread.conversationId,
  activeRunId: thread.activeRunId ?? '',
});

function toThread(row: TableEntityResult<ThreadRow>, projectId: string, threadId: string): Thread {
  return {
    threadId,
    projectId,
    createdAt: row.createdAt,
    conversationId: row.conversationId,
    ...(row.activeRunId !== '' && { activeRunId: row.activeRunId }),
  };
}

/** Without what the keys say already. Absent values are left out: a merge leaves them as they are. */
function toRunRow({ runId, threadId, projectId, usage, ...rest }: Run): RunRow {
  return { ...rest, ...usage };
}

function toRun(row: TableEntityResult<RunRow>, projectId: string, threadId: string, runId: string): Run {
  const { inputTokens, outputTokens, totalTokens } = row;
  return {
    runId,
    threadId,
    projectId,
    assistantId: row.assistantId,
    status: row.status,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    ...(row.startedAt && { startedAt: row.startedAt }),
    ...(row.completedAt && { completedAt: row.completedAt }),
    ...(row.errorMessage !== undefined && { errorMessage: row.errorMessage }),
    ...(row.responseId !== undefined && { responseId: row.responseId }),
    ...(inputTokens !== undefined &&
      outputTokens !== undefined &&
      totalTokens !== undefined && { usage: { inputTokens, outputTokens, totalTokens } }),
  };
}
