import type { TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import type { IdempotencyKey } from '../model/idempotencyKey.ts';
import type { Page, PageRequest } from '../model/page.ts';
import type { Run, RunKey, RunStatus } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { queryRows } from './pages.ts';
import { type KeyRow, type RunRow, threadRowKey, toPartitionKey, toRun, toRunRow } from './rows.ts';
import { filter, roundTrip, type StoreRefusal, type Table } from './tables.ts';

/*
 * One transaction changes a run together with its thread. What that keeps true:
 * a run is unfinished if and only if its thread's activeRunId names it.
 */

/** Result of a claim: the run stored, or why not. `conflict`: the thread changed; `duplicateKey`: the key is known. */
export type Claim = Stored<Run> | 'conflict' | 'duplicateKey';

export interface RunPageRequest extends PageRequest {
  /** Only runs with this status; all by default. */
  readonly status: RunStatus | undefined;
}

/** How many runs one page looks at to find those with a status. */
const maxRunsSearched = 500;

export interface RunStore {
  find(run: RunKey): Promise<Stored<Run> | undefined>;
  /** A page of a thread's runs, newest first; short of its limit when few of the newest 500 behind `after` match. */
  list(thread: ThreadKey, page: RunPageRequest): Promise<Page<Run>>;
  /** The run that a key started, with the fingerprint of what was asked then. */
  findKey(thread: ThreadKey, key: IdempotencyKey): Promise<KeyRow | undefined>;
  /** Gives a free thread to a new run, with the key it came with, in one transaction. */
  claim(thread: Stored<Thread>, run: Run, key?: IdempotencyKey): Promise<Claim>;
  /**
   * Writes a run's next state, in one transaction with freeing its thread when the run ended.
   * @param forget a key to drop along with it.
   * @returns undefined when someone else changed the run in the meantime, or it had ended: nothing is written then.
   */
  save(before: Stored<Run>, run: Run, forget?: IdempotencyKey): Promise<Stored<Run> | undefined>;
}

/** @param deadline of the request that uses it; without one each round trip has its own limit only. */
export function createRunStore(table: Table, deadline?: Deadline): RunStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  const submit = (actions: TransactionAction[]) =>
    once((client, options) => client.submitTransaction(actions, options));

  const store: RunStore = {
    async find(run) {
      const row = await once((client, options) =>
        client.getEntity<RunRow>(toPartitionKey(run), run.runId, options),
      );
      return typeof row === 'object' && !row.removed ? { value: toRun(row), etag: row.etag } : undefined;
    },

    async list(threadKey, { limit, after, status }) {
      const partitionKey = toPartitionKey(threadKey);
      const items: Run[] = [];
      let lastId = after;
      for (let searched = 0; searched < maxRunsSearched; ) {
        // Most pages are full at once; of a rare status the rest is searched in one go.
        const batch = searched === 0 ? limit : maxRunsSearched - searched;
        // Ids count the time down, so their order is newest first; '`' follows '_'.
        const runs = filter`PartitionKey eq ${partitionKey} and RowKey gt ${lastId ?? 'run_'} and RowKey lt ${'run`'}`;
        const { rows, hasMore } = await queryRows<RunRow>(table, runs, batch, deadline);
        for (const [index, row] of rows.entries()) {
          lastId = row.rowKey;
          if (!row.removed && (status === undefined || row.status === status)) items.push(toRun(row));
          if (items.length === limit) return { items, hasMore: hasMore || index < rows.length - 1, lastId };
        }
        if (!hasMore) return { items, hasMore, lastId: items.at(-1)?.runId };
        searched += rows.length;
      }
      return { items, hasMore: true, lastId };
    },

    async findKey(thread, key) {
      const row = await once((client, options) =>
        client.getEntity<KeyRow>(toPartitionKey(thread), key.rowKey, options),
      );
      return typeof row === 'object' ? { runId: row.runId, fingerprint: row.fingerprint } : undefined;
    },

    async claim(thread, run, key) {
      const partitionKey = toPartitionKey(run);
      const answer = await submit([
        [
          'update',
          { partitionKey, rowKey: threadRowKey, activeRunId: run.runId },
          'Merge',
          { etag: thread.etag },
        ],
        ['create', { partitionKey, rowKey: run.runId, ...toRunRow(run) }],
        ...(key
          ? [
              [
                'create',
                { partitionKey, rowKey: key.rowKey, runId: run.runId, fingerprint: key.fingerprint },
              ] as const,
            ]
          : []),
      ] as TransactionAction[]);
      if (typeof answer === 'object') {
        return { value: run, etag: answer.subResponses[1]?.etag ?? '' };
      }
      // The client repeats a transaction whose answer was lost, and then meets its own first try. Somebody may have
      // cancelled that run meanwhile: what has ended must not be handed to the engine.
      const own = await store.find(run);
      return own && !isTerminal(own.value) ? own : toClaimRefusal(answer);
    },

    async save(before, run, forget) {
      // A recorded end is final, and its thread may be another run's by now.
      if (isTerminal(before.value)) return undefined;
      const partitionKey = toPartitionKey(run);
      const row = { partitionKey, rowKey: run.runId, ...toRunRow(run) };
      if (!isTerminal(run)) {
        const answer = await once((client, options) =>
          client.updateEntity(row, 'Merge', { etag: before.etag, ...options }),
        );
        return typeof answer === 'object' ? { value: run, etag: answer.etag ?? '' } : undefined;
      }
      const answer = await submit([
        ['update', row, 'Merge', { etag: before.etag }],
        // The version of the run proves that it is unfinished, so the thread names this run and no other.
        ['update', { partitionKey, rowKey: threadRowKey, activeRunId: '' }, 'Merge', { etag: '*' }],
        ...(forget ? [['delete', { partitionKey, rowKey: forget.rowKey }]] : []),
      ] as TransactionAction[]);
      return typeof answer === 'object'
        ? { value: run, etag: answer.subResponses[0]?.etag ?? '' }
        : undefined;
    },
  };
  return store;
}

const toClaimRefusal = (answer: StoreRefusal) => (answer === 'exists' ? 'duplicateKey' : 'conflict');
