import type { TableEntity, TableEntityResult, TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { type Metadata, metadataOf } from '../model/metadata.ts';
import type { Page } from '../model/page.ts';
import type { Run } from '../model/run.ts';
import type { Stored } from '../model/stored.ts';
import type { NewThread, Thread, ThreadKey } from '../model/thread.ts';
import type { ToolResources } from '../model/toolResources.ts';
import { retryConflicts } from '../retryConflicts.ts';
import { queryRows } from './pages.ts';
import {
  type RunRow,
  type ThreadRow,
  threadRowKey,
  toIndexRowKey,
  toMetadataColumn,
  toPartitionKey,
  toResourceColumns,
  toRunRow,
  toThread,
  toThreadRow,
} from './rows.ts';
import { filter, roundTrip, type Table } from './tables.ts';
import { createThreadIndex, type IndexEntry, type ThreadPageRequest } from './threadIndex.ts';

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
  /** Adds a thread together with its first, active run, in one transaction. @param entry its index entry. */
  addWithRun(thread: Thread, run: Run, entry: IndexEntry): Promise<Stored<Run> | 'exists'>;
  find(thread: ThreadKey): Promise<Stored<Thread> | undefined>;
  /**
   * Replaces a thread's metadata.
   * @returns the thread with its new metadata; undefined when it does not exist.
   */
  setMetadata(thread: ThreadKey, metadata: Metadata): Promise<Thread | undefined>;
  /**
   * Replaces what the tools of a thread's runs use, unless the thread was changed since. What is absent stays.
   * @returns whether it did.
   */
  setToolResources(before: Stored<Thread>, resources: ToolResources): Promise<boolean>;
  /**
   * Returns a page of a project's threads, newest first. May be short: if `metadata` is given, at most 500 rows are read.
   * @throws {AppError} invalid_request when `after` is an imported id and not a thread of the project; unavailable when
   * the page would be empty although more threads may follow.
   */
  list(projectId: string, page: ThreadPageRequest): Promise<Page<NewThread>>;
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
   * Leaves its row for {@link remove}. Does nothing if another create with the same idempotency key has added it.
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
  const index = createThreadIndex(table, deadline);

  /** Closes a thread that another create may have added under the same id, unless it has. @param closed the row. */
  const abandonShared = (thread: Thread, closed: TableEntity<Partial<ThreadRow>>): Promise<void> =>
    retryConflicts(async () => {
      const present = await readThread(thread);
      if (present && present.conversationId !== thread.conversationId) return undefined;
      const result = await once((client, options) =>
        present
          ? client.updateEntity(closed, 'Merge', { etag: present.etag, ...options })
          : client.createEntity(closed, options),
      );
      return typeof result === 'object' ? undefined : 'conflict';
    });

  const store: ThreadStore = {
    addToIndex: index.add,
    removeFromIndex: index.remove,
    list: index.list,

    async add(thread, entry) {
      const indexed = entry ?? (await index.add(thread));
      const row = { partitionKey: toPartitionKey(thread), rowKey: threadRowKey, ...toThreadRow(thread) };
      const result = await once((client, options) => client.createEntity(row, options));
      if (result === 'exists') {
        // The client retries an insert whose response was lost, and then conflicts with its own first attempt.
        const present = await readThread(thread);
        if (present?.conversationId !== thread.conversationId || present.closed) {
          if (present && toIndexRowKey(toThread(present)) !== toIndexRowKey(thread)) {
            await index.remove(thread);
          }
          return 'exists';
        }
      }
      // If this fails, the next list that reads the entry does it.
      await index.confirm(thread, indexed).catch(() => undefined);
      return 'added';
    },

    async addWithRun(thread, run, entry) {
      const partitionKey = toPartitionKey(thread);
      const result = await submit([
        [
          'create',
          { partitionKey, rowKey: threadRowKey, ...toThreadRow({ ...thread, activeRunId: run.runId }) },
        ],
        ['create', { partitionKey, rowKey: run.runId, ...toRunRow(run) }],
      ]);
      let etag = typeof result === 'object' ? result.subResponses[1]?.etag : undefined;
      if (etag === undefined) {
        // The client retries a transaction whose response was lost, and then conflicts with its own first attempt.
        const present = await readThread(thread);
        if (present?.conversationId !== thread.conversationId || present.closed) return 'exists';
        ({ etag } = (await readRow<RunRow>(partitionKey, run.runId)) ?? {});
        if (etag === undefined) return 'exists';
      }
      await index.confirm(thread, entry).catch(() => undefined);
      return { value: run, etag };
    },

    async find(threadKey) {
      const row = await readThread(threadKey);
      return row && !row.closed ? { value: toThread(row), etag: row.etag } : undefined;
    },

    async setMetadata(threadKey, metadata) {
      const stored = await store.find(threadKey);
      if (!stored) return undefined;
      const thread = { ...withoutMetadata(stored.value), ...metadataOf(metadata) };
      const entry = await index.announceChange(thread);
      const row = {
        partitionKey: toPartitionKey(thread),
        rowKey: threadRowKey,
        ...toMetadataColumn(metadata),
      };
      // Unconditional, so that it neither fails nor waits because of runs that start and end.
      const result = await once((client, options) =>
        client.updateEntity(row, 'Merge', { etag: '*', ...options }),
      );
      if (typeof result !== 'object') return undefined;
      // If this fails, a list does it once the change has settled.
      await index.finishChange(thread, entry, metadata).catch(() => undefined);
      return thread;
    },

    async setToolResources({ value: thread, etag }, resources) {
      const row = {
        partitionKey: toPartitionKey(thread),
        rowKey: threadRowKey,
        ...toResourceColumns(resources),
      };
      const result = await once((client, options) => client.updateEntity(row, 'Merge', { etag, ...options }));
      return typeof result === 'object';
    },

    close(threadKey) {
      const partitionKey = toPartitionKey(threadKey);
      const runs = filter`PartitionKey eq ${partitionKey} and RowKey gt ${'run_'} and RowKey lt ${'run`'}`;
      return retryConflicts(async () => {
        const row = await readThread(threadKey);
        if (!row) return undefined;
        if (row.closed) return toClosedThread(row);
        const thread = toThread(row);
        const { activeRunId } = thread;
        const [active, newest] = await Promise.all([
          activeRunId === undefined ? undefined : readRow<RunRow>(partitionKey, activeRunId),
          queryRows(table, runs, transactionLimit - 2, deadline, keyColumns),
          index.announceClosing(thread),
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
        return typeof result === 'object'
          ? { ...thread, ...(responseId !== '' && { responseId }) }
          : 'conflict';
      });
    },

    async findClosed(threadKey) {
      const row = await readThread(threadKey);
      return row?.closed ? toClosedThread(row) : undefined;
    },

    async abandon(thread) {
      const { activeRunId, ...columns } = toThreadRow(thread);
      const row = { partitionKey: toPartitionKey(thread), rowKey: threadRowKey, ...columns, closed: true };
      if (thread.creationKey !== undefined) return abandonShared(thread, row);
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

const withoutMetadata = ({ metadata, ...thread }: Thread): Thread => thread;
