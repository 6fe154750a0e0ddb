import type { TableEntityResult, TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { AppError, fieldError } from '../errors.ts';
import type { Page, PageRequest } from '../model/page.ts';
import type { Stored } from '../model/stored.ts';
import type { NewThread, Thread, ThreadKey } from '../model/thread.ts';
import { queryRows } from './pages.ts';
import {
  type IndexRow,
  indexRowKeyOf,
  type RunRow,
  type ThreadRow,
  threadRowKey,
  toIndexPartitionKey,
  toIndexRowKey,
  toNewThread,
  toPartitionKey,
  toThread,
  toThreadRow,
} from './rows.ts';
import { filter, roundTrip, type Table } from './tables.ts';

/** A thread's entry in its project's index. */
export interface IndexEntry {
  /** Undefined when the entry existed before. */
  readonly etag: string | undefined;
}

/** A closed thread, whose deletion is not complete. */
export interface ClosedThread extends Thread {
  /** The response of the run that was active when the thread was closed, if it had been submitted. */
  readonly responseId?: string;
}

export interface ThreadStore {
  /** Adds a thread to its project's index. Lists show it only while the thread itself exists. */
  addToIndex(thread: NewThread): Promise<IndexEntry>;
  removeFromIndex(thread: NewThread): Promise<void>;
  /** Adds a thread. @param entry its index entry, if already added. */
  add(thread: Thread, entry?: IndexEntry): Promise<'added' | 'exists'>;
  find(thread: ThreadKey): Promise<Stored<Thread> | undefined>;
  /**
   * Returns a page of a project's threads, newest first.
   * @throws {AppError} invalid_request when `after` is an imported id and not a thread of the project; unavailable when
   * the page would be empty although more threads may follow.
   */
  list(projectId: string, page: PageRequest): Promise<Page<NewThread>>;
  /**
   * Closes a thread permanently. From then on the thread, its active run and its newest runs are not found, and no run
   * can be started.
   * @returns the closed thread, also if it was closed before but not removed; undefined when it does not exist.
   */
  close(thread: ThreadKey): Promise<ClosedThread | undefined>;
  /** Finds a thread that has been closed but not removed. */
  findClosed(thread: ThreadKey): Promise<ClosedThread | undefined>;
  /**
   * Closes a thread whose addition has an unknown outcome, so that it is not found even if it is added later.
   * Leaves its row for {@link remove}.
   */
  abandon(thread: Thread): Promise<void>;
  /** Removes all rows of a closed thread except its own: runs and idempotency keys. */
  removeRuns(thread: ThreadKey): Promise<void>;
  /** Removes a closed thread from the index, then its own row. */
  remove(thread: NewThread): Promise<void>;
}

/** Maximum operations in one transaction of the store. */
const transactionLimit = 100;

/** Maximum rows fetched by one query when removing a thread. */
const removalBatch = 9 * transactionLimit;

/** Maximum attempts to close a thread. An attempt is repeated only after a concurrent change of its active run. */
const maxCloses = 5;

/** Maximum index pages read for one list when entries without threads leave it short. */
const maxIndexPages = 3;

/** Age after which an index entry without a thread is stale, in milliseconds; far longer than a create can take. */
const staleEntryMs = 10 * 60_000;

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createThreadStore(table: Table, deadline?: Deadline): ThreadStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  const submit = (actions: TransactionAction[]) =>
    once((client, options) => client.submitTransaction(actions, options));
  const readRow = async <Row extends object>(partitionKey: string, rowKey: string) => {
    const row = await once((client, options) => client.getEntity<Row>(partitionKey, rowKey, options));
    return typeof row === 'object' ? row : undefined;
  };
  const readThread = (thread: ThreadKey) => readRow<ThreadRow>(toPartitionKey(thread), threadRowKey);
  /** Updates an index row if it exists and its etag matches. */
  const mergeIndexRow = (thread: NewThread, columns: Partial<IndexRow>, etag = '*') =>
    once((client, options) =>
      client.updateEntity({ ...indexKeys(thread), ...columns }, 'Merge', { etag, ...options }),
    );

  /** Returns the index row key of a thread, after which a page starts. */
  const positionOf = async (threadKey: ThreadKey): Promise<string> => {
    const rowKey = indexRowKeyOf(threadKey.threadId);
    if (rowKey !== undefined) return rowKey;
    const row = await readThread(threadKey);
    if (!row) throw fieldError('After', 'The field After must be an id of the list.');
    return toIndexRowKey(toThread(row));
  };

  /** Checks the threads of unchecked index entries, and repairs the index accordingly. */
  const checkEntries = async (
    partitionKey: string,
    rows: readonly TableEntityResult<IndexRow>[],
  ): Promise<{ thread: NewThread; listed: boolean }[]> => {
    const repairs: TransactionAction[] = [];
    const checks = await Promise.all(
      rows.map(async (entry) => {
        const thread = toNewThread(entry);
        if (entry.checked) return { thread, listed: true };
        const rowKey = entry.rowKey ?? '';
        const row = await readThread(thread);
        // An imported thread may have two entries with different times; only one matches its row.
        const own = row !== undefined && toIndexRowKey(toThread(row)) === rowKey;
        if (own && !row.closed && !entry.closing) {
          repairs.push(['update', { partitionKey, rowKey, checked: true }, 'Merge', { etag: entry.etag }]);
        }
        if (!own && Date.parse(entry.timestamp ?? '') < Date.now() - staleEntryMs) {
          repairs.push(['delete', { partitionKey, rowKey }]);
        }
        return { thread, listed: own && !row.closed };
      }),
    );
    // An optimization for later lists, so failures are ignored.
    if (repairs.length > 0) await submit(repairs.slice(0, transactionLimit)).catch(() => undefined);
    return checks;
  };

  const store: ThreadStore = {
    async addToIndex(thread) {
      const row = { ...indexKeys(thread), createdAt: thread.createdAt, checked: false, closing: false };
      const result = await once((client, options) => client.createEntity(row, options));
      return { etag: typeof result === 'object' ? result.etag : undefined };
    },

    async removeFromIndex(thread) {
      const { partitionKey, rowKey } = indexKeys(thread);
      await once((client, options) => client.deleteEntity(partitionKey, rowKey, options));
    },

    async add(thread, entry) {
      const { etag } = entry ?? (await store.addToIndex(thread));
      const row = { partitionKey: toPartitionKey(thread), rowKey: threadRowKey, ...toThreadRow(thread) };
      const result = await once((client, options) => client.createEntity(row, options));
      if (result === 'exists') {
        // The client retries an insert whose response was lost, and then conflicts with its own first attempt.
        const present = await readThread(thread);
        if (present?.conversationId !== thread.conversationId || present.closed) {
          if (present && toIndexRowKey(toThread(present)) !== toIndexRowKey(thread)) {
            await store.removeFromIndex(thread);
          }
          return 'exists';
        }
      }
      // If this fails, the next list that reads the entry does it.
      if (etag !== undefined) await mergeIndexRow(thread, { checked: true }, etag).catch(() => undefined);
      return 'added';
    },

    async find(threadKey) {
      const row = await readThread(threadKey);
      return row && !row.closed ? { value: toThread(row), etag: row.etag } : undefined;
    },

    async list(projectId, { limit, after }) {
      const partitionKey = toIndexPartitionKey(projectId);
      let position = after === undefined ? '' : await positionOf({ projectId, threadId: after });
      const items: NewThread[] = [];
      let lastId: string | undefined;
      for (let pages = 0; pages < maxIndexPages; pages++) {
        const entries = filter`PartitionKey eq ${partitionKey} and RowKey gt ${position}`;
        const { rows, hasMore } = await queryRows<IndexRow>(table, entries, limit, deadline);
        for (const { thread, listed } of await checkEntries(partitionKey, rows)) {
          // An imported id is a usable cursor only while its thread exists.
          if (listed || indexRowKeyOf(thread.threadId) !== undefined) lastId = thread.threadId;
          if (listed) items.push(thread);
          if (items.length === limit) {
            return { items, hasMore: hasMore || thread.threadId !== lastThreadId(rows), lastId };
          }
        }
        if (!hasMore) return { items, hasMore: false, lastId: items.at(-1)?.threadId };
        position = rows.at(-1)?.rowKey ?? position;
      }
      // There is no usable cursor, so the client could not continue. The index has been repaired for its retry.
      if (lastId === undefined) throw new AppError('unavailable');
      return { items, hasMore: true, lastId };
    },

    async close(threadKey) {
      const partitionKey = toPartitionKey(threadKey);
      const runs = filter`PartitionKey eq ${partitionKey} and RowKey gt ${'run_'} and RowKey lt ${'run`'}`;
      for (let closes = 0; closes < maxCloses; closes++) {
        const row = await readThread(threadKey);
        if (!row) return undefined;
        if (row.closed) return toClosedThread(row);
        const thread = toThread(row);
        const { activeRunId } = thread;
        const [active, newest] = await Promise.all([
          activeRunId === undefined ? undefined : readRow<RunRow>(partitionKey, activeRunId),
          queryRows(table, runs, transactionLimit - 2, deadline, keyColumns),
          // From now on lists check the thread, so they cannot show a closed one.
          mergeIndexRow(thread, { checked: false, closing: true }),
        ]);
        // A waiting run has nothing to cancel.
        const responseId = active?.status === 'requires_action' ? '' : (active?.responseId ?? '');
        const closed = { closed: true, closingResponseId: responseId };
        const result = await submit([
          ['update', { partitionKey, rowKey: threadRowKey, ...closed }, 'Merge', { etag: row.etag }],
          // Marked instead of deleted: deletions in a transaction have no etag, and the run may be changing.
          ...(active
            ? [
                [
                  'update',
                  { partitionKey, rowKey: active.rowKey ?? '', removed: true },
                  'Replace',
                  { etag: active.etag },
                ] as TransactionAction,
              ]
            : []),
          ...newest.rows
            .filter(({ rowKey }) => rowKey !== activeRunId)
            .map(({ rowKey = '' }): TransactionAction => ['delete', { partitionKey, rowKey }]),
        ]);
        if (typeof result === 'object') return { ...thread, ...(responseId !== '' && { responseId }) };
      }
      throw new AppError('unavailable');
    },

    async findClosed(threadKey) {
      const row = await readThread(threadKey);
      return row?.closed ? toClosedThread(row) : undefined;
    },

    async abandon(thread) {
      const { activeRunId, ...columns } = toThreadRow(thread);
      const row = { partitionKey: toPartitionKey(thread), rowKey: threadRowKey, ...columns, closed: true };
      // Merged, to keep a run that a client may already have started on the listed thread.
      await once((client, options) => client.upsertEntity(row, 'Merge', options));
    },

    async removeRuns(threadKey) {
      const partitionKey = toPartitionKey(threadKey);
      const others = filter`PartitionKey eq ${partitionKey} and RowKey lt ${threadRowKey}`;
      for (;;) {
        const { rows, hasMore } = await queryRows(table, others, removalBatch, deadline, keyColumns);
        let refused = false;
        for (let start = 0; start < rows.length; start += transactionLimit) {
          const deletions = rows
            .slice(start, start + transactionLimit)
            .map(({ rowKey = '' }): TransactionAction => ['delete', { partitionKey, rowKey }]);
          // Fails when another request deletes the same rows; the next round fetches the remaining ones.
          if (typeof (await submit(deletions)) !== 'object') refused = true;
        }
        if (!hasMore && !refused) return;
      }
    },

    async remove(thread) {
      await store.removeFromIndex(thread);
      await once((client, options) => client.deleteEntity(toPartitionKey(thread), threadRowKey, options));
    },
  };
  return store;
}

const toClosedThread = (row: TableEntityResult<ThreadRow>): ClosedThread => ({
  ...toThread(row),
  ...(row.closingResponseId && { responseId: row.closingResponseId }),
});

const keyColumns = ['PartitionKey', 'RowKey'];

const indexKeys = (thread: NewThread) => ({
  partitionKey: toIndexPartitionKey(thread.projectId),
  rowKey: toIndexRowKey(thread),
});

const lastThreadId = (rows: readonly TableEntityResult<IndexRow>[]): string | undefined => {
  const last = rows.at(-1);
  return last && toNewThread(last).threadId;
};
