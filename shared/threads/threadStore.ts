import type { TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { AppError } from '../http/errors.ts';
import { type Page, type PageRequest, queryPage } from '../storage/pages.ts';
import {
  type Stored,
  type ThreadRow,
  threadRowKey,
  toPartitionKey,
  toThread,
  toThreadRow,
} from '../storage/rows.ts';
import { filter, roundTrip, type Table } from '../storage/tables.ts';
import type { Thread } from './thread.ts';

export interface ThreadStore {
  add(thread: Thread): Promise<'added' | 'exists'>;
  find(projectId: string, threadId: string): Promise<Stored<Thread> | undefined>;
  /** A page of a project's threads, newest first. */
  list(projectId: string, page: PageRequest): Promise<Page<Thread>>;
  /**
   * Closes a thread for good, so that nobody finds it or starts a run on it, and tells what it was.
   * @returns undefined when there is none; one that was closed before and not yet removed is told again.
   */
  close(projectId: string, threadId: string): Promise<Thread | undefined>;
  /** Removes all rows of a closed thread, its own last. */
  remove(projectId: string, threadId: string): Promise<void>;
}

/** The store's own limit for a transaction. */
const transactionLimit = 100;

/** A closing thread is read again only when a run was claimed or ended in between. */
const maxCloses = 5;

/** @param deadline of the request that uses it; without one each round trip has its own limit only. */
export function createThreadStore(table: Table, deadline?: Deadline): ThreadStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  const read = async (projectId: string, threadId: string) => {
    const key = toPartitionKey({ projectId, threadId });
    const row = await once((client, options) => client.getEntity<ThreadRow>(key, threadRowKey, options));
    return typeof row === 'object' ? row : undefined;
  };

  return {
    async add(thread) {
      const row = { partitionKey: toPartitionKey(thread), rowKey: threadRowKey, ...toThreadRow(thread) };
      const answer = await once((client, options) => client.createEntity(row, options));
      return answer === 'exists' ? 'exists' : 'added';
    },

    async find(projectId, threadId) {
      const row = await read(projectId, threadId);
      return row && !row.closed ? { value: toThread(row), etag: row.etag } : undefined;
    },

    list(projectId, { limit, after }) {
      // A range of partitions: `;` follows `:`. Ids count the time down, so their order is newest first.
      const start = after === undefined ? `${projectId}:` : toPartitionKey({ projectId, threadId: after });
      const threads = filter`PartitionKey gt ${start} and PartitionKey lt ${`${projectId};`} and RowKey eq ${threadRowKey} and closed eq false`;
      return queryPage<ThreadRow, Thread>(table, threads, limit, toThread, deadline);
    },

    async close(projectId, threadId) {
      const partitionKey = toPartitionKey({ projectId, threadId });
      for (let closes = 0; closes < maxCloses; closes++) {
        const row = await read(projectId, threadId);
        if (!row || row.closed) return row && toThread(row);
        const answer = await once((client, options) =>
          client.updateEntity({ partitionKey, rowKey: threadRowKey, closed: true }, 'Merge', {
            etag: row.etag,
            ...options,
          }),
        );
        if (typeof answer === 'object') return toThread(row);
      }
      throw new AppError('unavailable');
    },

    async remove(projectId, threadId) {
      const partitionKey = toPartitionKey({ projectId, threadId });
      const others = filter`PartitionKey eq ${partitionKey} and RowKey ne ${threadRowKey}`;
      for (;;) {
        const { items } = await queryPage(
          table,
          others,
          transactionLimit,
          ({ rowKey }) => rowKey ?? '',
          deadline,
        );
        if (items.length === 0) break;
        const deletions = items.map((rowKey): TransactionAction => ['delete', { partitionKey, rowKey }]);
        // Refused when another request deletes the same rows; the next round sees what is left.
        await once((client, options) => client.submitTransaction(deletions, options));
      }
      await once((client, options) => client.deleteEntity(partitionKey, threadRowKey, options));
    },
  };
}
