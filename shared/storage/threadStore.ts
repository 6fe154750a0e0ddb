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

/** A thread's entry in its project's index, as it was written. */
export interface IndexEntry {
  /** Absent when it was there before. */
  readonly etag: string | undefined;
}

/** A closed thread, with what is left to do for its deletion. */
export interface ClosedThread extends Thread {
  /** The response of the run that was active when the thread was closed, if the engine had taken it. */
  readonly responseId?: string;
}

export interface ThreadStore {
  /** Announces a thread in its project's index. It is listed as soon as, and only while, the thread itself is there. */
  addToIndex(thread: NewThread): Promise<IndexEntry>;
  removeFromIndex(thread: NewThread): Promise<void>;
  /** @param entry of the index, when the thread has one already. */
  add(thread: Thread, entry?: IndexEntry): Promise<'added' | 'exists'>;
  find(thread: ThreadKey): Promise<Stored<Thread> | undefined>;
  /**
   * A page of a project's threads, newest first.
   * @throws {AppError} invalid_request for an `after` from elsewhere that is no thread of the project.
   */
  list(projectId: string, page: PageRequest): Promise<Page<NewThread>>;
  /**
   * Closes a thread for good: nobody finds it, its active run or its newest runs, or starts another run on it.
   * @returns undefined when there is none; one that was closed before and not yet removed is returned again.
   */
  close(thread: ThreadKey): Promise<ClosedThread | undefined>;
  /** Finds a thread that was closed and not yet removed. */
  findClosed(thread: ThreadKey): Promise<ClosedThread | undefined>;
  /**
   * Closes a thread that may have been added or may be added late: either way nobody finds it afterwards.
   * Its row is left for {@link remove}.
   */
  abandon(thread: Thread): Promise<void>;
  /** Removes all rows of a closed thread but its own: older runs, keys, and what closing left. */
  removeRuns(thread: ThreadKey): Promise<void>;
  /** Removes a closed thread from the index, then its own row: the last trace of it. */
  remove(thread: NewThread): Promise<void>;
}

/** The store's own limit for a transaction. */
const transactionLimit = 100;

/** Rows of a closed thread that one query finds. */
const removalBatch = 9 * transactionLimit;

/** A closing thread is read again only when a run was claimed, taken by the engine or ended in between. */
const maxCloses = 5;

/** How many pages of the index one list reads when threads that are not there (any more) leave it short. */
const maxIndexPages = 3;

/** From when on an index entry without a thread will not get one: far longer than a create can last. */
const staleEntryMs = 10 * 60_000;

/** @param deadline of the request that uses it; without one each round trip has its own limit only. */
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
  /** Changes an index row if it is there, and has the version given. */
  const mergeIndexRow = (thread: NewThread, columns: Partial<IndexRow>, etag = '*') =>
    once((client, options) =>
      client.updateEntity({ ...indexKeys(thread), ...columns }, 'Merge', { etag, ...options }),
    );

  /** Where the index goes on behind a thread. */
  const positionBehind = async (threadKey: ThreadKey): Promise<string> => {
    const rowKey = indexRowKeyOf(threadKey.threadId);
    if (rowKey !== undefined) return rowKey;
    const row = await readThread(threadKey);
    if (!row) throw fieldError('After', 'The field After must be an id of the list.');
    return toIndexRowKey(toThread(row));
  };

  /** Looks for the threads of a page of the index that it cannot vouch for, and mends the index by what it finds. */
  const checkEntries = async (
    partitionKey: string,
    rows: readonly TableEntityResult<IndexRow>[],
  ): Promise<{ thread: NewThread; listed: boolean }[]> => {
    const mending: TransactionAction[] = [];
    const checks = await Promise.all(
      rows.map(async (entry) => {
        const thread = toNewThread(entry);
        if (entry.checked) return { thread, listed: true };
        const rowKey = entry.rowKey ?? '';
        const row = await readThread(thread);
        // A thread from elsewhere may have been announced twice, with different times; one entry is its own.
        const own = row !== undefined && toIndexRowKey(toThread(row)) === rowKey;
        if (own && !row.closed && !entry.closing) {
          mending.push(['update', { partitionKey, rowKey, checked: true }, 'Merge', { etag: entry.etag }]);
        }
        if (!own && Date.parse(entry.timestamp ?? '') < Date.now() - staleEntryMs) {
          mending.push(['delete', { partitionKey, rowKey }]);
        }
        return { thread, listed: own && !row.closed };
      }),
    );
    // Spares the next list the same look; whether it succeeds changes nothing for this one.
    if (mending.length > 0) await submit(mending.slice(0, transactionLimit)).catch(() => undefined);
    return checks;
  };

  const store: ThreadStore = {
    async addToIndex(thread) {
      const row = { ...indexKeys(thread), createdAt: thread.createdAt, checked: false, closing: false };
      const answer = await once((client, options) => client.createEntity(row, options));
      return { etag: typeof answer === 'object' ? answer.etag : undefined };
    },

    async removeFromIndex(thread) {
      const { partitionKey, rowKey } = indexKeys(thread);
      await once((client, options) => client.deleteEntity(partitionKey, rowKey, options));
    },

    async add(thread, entry) {
      const { etag } = entry ?? (await store.addToIndex(thread));
      const row = { partitionKey: toPartitionKey(thread), rowKey: threadRowKey, ...toThreadRow(thread) };
      const answer = await once((client, options) => client.createEntity(row, options));
      if (answer === 'exists') {
        // The store's client repeats an insert whose response was lost, and then meets its own first try.
        const present = await readThread(thread);
        if (present?.conversationId !== thread.conversationId || present.closed) {
          if (present && toIndexRowKey(toThread(present)) !== toIndexRowKey(thread)) {
            await store.removeFromIndex(thread);
          }
          return 'exists';
        }
      }
      // If it fails, the first list that meets the entry does the same.
      if (etag !== undefined) await mergeIndexRow(thread, { checked: true }, etag).catch(() => undefined);
      return 'added';
    },

    async find(threadKey) {
      const row = await readThread(threadKey);
      return row && !row.closed ? { value: toThread(row), etag: row.etag } : undefined;
    },

    async list(projectId, { limit, after }) {
      const partitionKey = toIndexPartitionKey(projectId);
      let position = after === undefined ? '' : await positionBehind({ projectId, threadId: after });
      const items: NewThread[] = [];
      let lastId: string | undefined;
      for (let pages = 0; pages < maxIndexPages; pages++) {
        const entries = filter`PartitionKey eq ${partitionKey} and RowKey gt ${position}`;
        const { rows, hasMore } = await queryRows<IndexRow>(table, entries, limit, deadline);
        for (const { thread, listed } of await checkEntries(partitionKey, rows)) {
          // Its own thread is the only key to the position of an id from elsewhere.
          if (listed || indexRowKeyOf(thread.threadId) !== undefined) lastId = thread.threadId;
          if (listed) items.push(thread);
          if (items.length === limit) {
            return { items, hasMore: hasMore || thread.threadId !== lastThreadId(rows), lastId };
          }
        }
        if (!hasMore) return { items, hasMore: false, lastId: items.at(-1)?.threadId };
        position = rows.at(-1)?.rowKey ?? position;
      }
      // Nothing of these pages could be named, so a client could not go on; the next list may find them mended.
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
          // From now on a list looks for the thread, so that it cannot show a closed one.
          mergeIndexRow(thread, { checked: false, closing: true }),
        ]);
        const responseId = active?.responseId;
        const closed = { closed: true, closingResponseId: responseId ?? '' };
        const answer = await submit([
          ['update', { partitionKey, rowKey: threadRowKey, ...closed }, 'Merge', { etag: row.etag }],
          // A deletion in a transaction cannot ask for a version, and the engine may just be taking this run.
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
        if (typeof answer === 'object') return { ...thread, ...(responseId !== undefined && { responseId }) };
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
      // Merged, because whoever found the thread in a list may have started a run on it.
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
          // Refused when another request deletes the same rows; the next round sees what is left.
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
