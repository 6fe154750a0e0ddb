import type { TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import type { IdempotencyKey } from '../model/idempotencyKey.ts';
import type { Page, PageRequest } from '../model/page.ts';
import type { Run, RunKey, RunStatus } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { queryRows } from './pages.ts';
import {
  fromPendingCalls,
  type ItemRow,
  type KeyRow,
  type RunRow,
  threadRowKey,
  toItemRowKey,
  toPartitionKey,
  toRun,
  toRunRow,
} from './rows.ts';
import { filter, roundTrip, type StoreRefusal, type Table } from './tables.ts';

/*
 * A run and its thread are changed in one transaction. Invariant: a run is active if and only if its thread's
 * `activeRunId` is its id.
 */

/** Result of a claim: the stored run; `conflict`: the thread changed; `duplicateKey`: the key has been used. */
export type Claim = Stored<Run> | 'conflict' | 'duplicateKey';

export interface RunPageRequest extends PageRequest {
  /** Only runs with this status; all by default. */
  readonly status: RunStatus | undefined;
}

/** Maximum number of runs read for one page when filtering by status. */
const maxRunsSearched = 500;

export interface RunStore {
  find(run: RunKey): Promise<Stored<Run> | undefined>;
  /** Returns a page of a thread's runs, newest first. May be short, because at most about 500 runs are searched. */
  list(thread: ThreadKey, page: RunPageRequest): Promise<Page<Run>>;
  /**
   * Finds the run that has a message in its reply, and the runs before it, newest first.
   * @param itemId the engine's id of the message.
   * @returns at most `limit` runs; none when no run is known to have the message.
   */
  listReplied(thread: ThreadKey, itemId: string, limit: number): Promise<Run[]>;
  /** Returns the id of the run that a key started and the fingerprint of its request. */
  findKey(thread: ThreadKey, key: IdempotencyKey): Promise<KeyRow | undefined>;
  /** Adds a run as the active run of an idle thread, and its idempotency key, in one transaction. */
  claim(thread: Stored<Thread>, run: Run, key?: IdempotencyKey): Promise<Claim>;
  /**
   * Saves a run. If it has ended, frees its thread and leaves it the calls that are unanswered, in the same transaction.
   * @param forget idempotency key to delete in the same transaction.
   * @returns undefined, without saving, when the run was changed concurrently or had ended before.
   */
  save(before: Stored<Run>, run: Run, forget?: IdempotencyKey): Promise<Stored<Run> | undefined>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
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
        // The first query usually fills the page; for a rare status, search the rest at once.
        const batch = searched === 0 ? limit : maxRunsSearched - searched;
        // Ids sort newest first; '`' is the character after '_'.
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

    async listReplied(threadKey, itemId, limit) {
      const partitionKey = toPartitionKey(threadKey);
      const rowKey = toItemRowKey(itemId);
      if (rowKey === undefined) return [];
      const item = await once((client, options) => client.getEntity<ItemRow>(partitionKey, rowKey, options));
      if (typeof item !== 'object') return [];
      const runs = filter`PartitionKey eq ${partitionKey} and RowKey ge ${item.runId} and RowKey lt ${'run`'}`;
      const { rows } = await queryRows<RunRow>(table, runs, limit, deadline);
      return rows.filter(({ removed }) => !removed).map(toRun);
    },

    async findKey(thread, key) {
      const row = await once((client, options) =>
        client.getEntity<KeyRow>(toPartitionKey(thread), key.rowKey, options),
      );
      return typeof row === 'object' ? { runId: row.runId, fingerprint: row.fingerprint } : undefined;
    },

    async claim(thread, run, key) {
      const partitionKey = toPartitionKey(run);
      const result = await submit([
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
      if (typeof result === 'object') {
        return { value: run, etag: result.subResponses[1]?.etag ?? '' };
      }
      // The client retries a transaction whose response was lost, and then conflicts with its own first attempt. The run
      // may have been cancelled since; a terminal run must not be submitted.
      const own = await store.find(run);
      return own && !isTerminal(own.value) ? own : toClaimRefusal(result);
    },

    async save(before, run, forget) {
      // A recorded end is final, and another run may have claimed the thread.
      if (isTerminal(before.value)) return undefined;
      const partitionKey = toPartitionKey(run);
      const row = { partitionKey, rowKey: run.runId, ...toRunRow(run) };
      const items = toItemRows(before.value, run);
      if (!isTerminal(run) && items.length === 0) {
        const result = await once((client, options) =>
          client.updateEntity(row, 'Merge', { etag: before.etag, ...options }),
        );
        return typeof result === 'object' ? { value: run, etag: result.etag ?? '' } : undefined;
      }
      const result = await submit([
        ['update', row, 'Merge', { etag: before.etag }],
        // The run's etag proves that it is active, so it is the thread's active run.
        ...(isTerminal(run)
          ? [
              [
                'update',
                { partitionKey, rowKey: threadRowKey, activeRunId: '', ...toOpenCalls(run) },
                'Merge',
                { etag: '*' },
              ],
            ]
          : []),
        ...items.map((item) => ['upsert', item, 'Replace']),
        ...(forget ? [['delete', { partitionKey, rowKey: forget.rowKey }]] : []),
      ] as TransactionAction[]);
      return typeof result === 'object'
        ? { value: run, etag: result.subResponses[0]?.etag ?? '' }
        : undefined;
    },
  };
  return store;
}

/** Returns the rows of the messages that a change adds to a run's reply. */
const toItemRows = (before: Run, run: Run) =>
  (run.replyItemIds ?? []).flatMap((itemId) => {
    const rowKey = toItemRowKey(itemId);
    const added = rowKey !== undefined && !before.replyItemIds?.includes(itemId);
    return added ? { partitionKey: toPartitionKey(run), rowKey, runId: run.runId } : [];
  });

/** A run without calls changes nothing: then the thread had no open ones. */
const toOpenCalls = ({ pendingCalls }: Run) => pendingCalls && { openCalls: fromPendingCalls(pendingCalls) };

const toClaimRefusal = (result: StoreRefusal) => (result === 'exists' ? 'duplicateKey' : 'conflict');
