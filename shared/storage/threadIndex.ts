import type { TableEntityResult, TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { AppError, fieldError } from '../errors.ts';
import { hasPair, type Metadata, type MetadataPair, metadataOf } from '../model/metadata.ts';
import type { Page, PageRequest } from '../model/page.ts';
import type { NewThread, ThreadKey } from '../model/thread.ts';
import { queryRows } from './pages.ts';
import {
  type IndexRow,
  indexRowKeyOf,
  type ThreadRow,
  threadRowKey,
  toIndexPartitionKey,
  toIndexRowKey,
  toMetadataColumn,
  toNewThread,
  toPartitionKey,
  toThread,
} from './rows.ts';
import { filter, roundTrip, type Table } from './tables.ts';

/** A thread's entry in its project's index. */
export interface IndexEntry {
  /** Undefined when the entry existed before. */
  readonly etag: string | undefined;
}

export interface ThreadPageRequest extends PageRequest {
  /** Only threads whose metadata has this pair; all by default. */
  readonly metadata?: MetadataPair | undefined;
}

/** The index of a project's threads: what lists read. Only a thread's own row decides whether it exists. */
export interface ThreadIndex {
  add(thread: NewThread): Promise<IndexEntry>;
  remove(thread: NewThread): Promise<void>;
  /** Marks an entry as checked, if it has not been changed since it was added. */
  confirm(thread: NewThread, entry: IndexEntry): Promise<void>;
  /** From now on lists check the thread, so they cannot show a closed one. */
  announceClosing(thread: NewThread): Promise<void>;
  /**
   * Announces that a thread's metadata is about to change. Lists read it from the thread until this has settled.
   * @returns the entry to pass to {@link finishChange}.
   */
  announceChange(thread: NewThread): Promise<IndexEntry>;
  /** Copies new metadata into an entry, unless other changes or the closing of the thread have been announced since. */
  finishChange(thread: NewThread, entry: IndexEntry, metadata: Metadata): Promise<void>;
  /** As `ThreadStore.list`. */
  list(projectId: string, page: ThreadPageRequest): Promise<Page<NewThread>>;
}

/** Maximum operations in one transaction of the store. */
const transactionLimit = 100;

/** Maximum index pages read for one list when entries without threads leave it short. */
const maxIndexPages = 3;

/** Maximum number of rows read for one page of a filtered list. */
const maxRowsSearched = 500;

/** Age after which an index entry without a thread is stale, in milliseconds; far longer than a create can take. */
const staleEntryMs = 10 * 60_000;

/** Age after which an announced change of metadata has been made or given up, in milliseconds; twice a request's time. */
const settledChangeMs = 60_000;

const ageOf = ({ timestamp = '' }: TableEntityResult<IndexRow>) => Date.now() - Date.parse(timestamp);

/** Returns whether lists may rely on an entry without reading its thread. */
const isTrusted = ({ checked, changing = false }: IndexRow) => checked && !changing;

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createThreadIndex(table: Table, deadline?: Deadline): ThreadIndex {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  const readRow = async <Row extends object>(partitionKey: string, rowKey: string) => {
    const row = await once((client, options) => client.getEntity<Row>(partitionKey, rowKey, options));
    return typeof row === 'object' ? row : undefined;
  };
  const readThread = (thread: ThreadKey) => readRow<ThreadRow>(toPartitionKey(thread), threadRowKey);
  /** Updates an entry if it exists and its etag matches. @returns its new etag; undefined if nothing was updated. */
  const merge = async (thread: NewThread, columns: Partial<IndexRow>, etag = '*') => {
    const row = { ...keysOf(thread), ...columns };
    const result = await once((client, options) => client.updateEntity(row, 'Merge', { etag, ...options }));
    return typeof result === 'object' ? result.etag : undefined;
  };

  /** Returns the row key of a thread's entry, after which a page starts. */
  const positionOf = async (threadKey: ThreadKey): Promise<string> => {
    const rowKey = indexRowKeyOf(threadKey.threadId);
    if (rowKey !== undefined) return rowKey;
    const row = await readThread(threadKey);
    if (!row) throw fieldError('After', 'The field After must be an id of the list.');
    return toIndexRowKey(toThread(row));
  };

  /** Checks the threads of entries that cannot be relied on, and repairs the index accordingly. */
  const checkEntries = async (
    partitionKey: string,
    rows: readonly TableEntityResult<IndexRow>[],
  ): Promise<{ thread: NewThread; listed: boolean }[]> => {
    const repairs: TransactionAction[] = [];
    const checks = await Promise.all(
      rows.map(async (entry) => {
        const listed = toNewThread(entry);
        if (isTrusted(entry)) return { thread: listed, listed: true };
        const row = await readThread(listed);
        // An imported thread may have two entries with different times; only one matches its row.
        const own = row && toIndexRowKey(toThread(row)) === entry.rowKey ? row : undefined;
        const repair = repairOf(entry, own);
        if (repair) repairs.push(toAction(partitionKey, entry, repair));
        const { metadata, ...thread } = listed;
        return {
          thread: { ...thread, ...metadataOf(own && toThread(own).metadata) },
          listed: own !== undefined && !own.closed,
        };
      }),
    );
    // An optimization for later lists, so failures are ignored.
    if (repairs.length > 0) {
      const first = repairs.slice(0, transactionLimit);
      await once((client, options) => client.submitTransaction(first, options)).catch(() => undefined);
    }
    return checks;
  };

  return {
    async add(thread) {
      const row = {
        ...{ ...keysOf(thread), createdAt: thread.createdAt, checked: false, closing: false },
        ...(thread.metadata && toMetadataColumn(thread.metadata)),
      };
      const result = await once((client, options) => client.createEntity(row, options));
      return { etag: typeof result === 'object' ? result.etag : undefined };
    },

    async remove(thread) {
      const { partitionKey, rowKey } = keysOf(thread);
      await once((client, options) => client.deleteEntity(partitionKey, rowKey, options));
    },

    async confirm(thread, { etag }) {
      if (etag !== undefined) await merge(thread, { checked: true }, etag);
    },

    async announceClosing(thread) {
      await merge(thread, { checked: false, closing: true });
    },

    async announceChange(thread) {
      const { partitionKey, rowKey } = keysOf(thread);
      const entry = await readRow<IndexRow>(partitionKey, rowKey);
      const change = { checked: false, changing: true };
      if (entry && !entry.changing && !entry.closing) {
        const etag = await merge(thread, change, entry.etag);
        if (etag !== undefined) return { etag };
      }
      // Of several changes at once, none can know which is the last. A list does, once all have settled.
      await merge(thread, change);
      return { etag: undefined };
    },

    async finishChange(thread, { etag }, metadata) {
      const columns = { checked: true, changing: false, ...toMetadataColumn(metadata) };
      if (etag !== undefined) await merge(thread, columns, etag);
    },

    async list(projectId, { limit, after, metadata }) {
      const partitionKey = toIndexPartitionKey(projectId);
      let position = after === undefined ? '' : await positionOf({ projectId, threadId: after });
      const items: NewThread[] = [];
      let lastId: string | undefined;
      let rowsLeft = metadata ? maxRowsSearched : maxIndexPages * limit;
      for (let batch = limit; rowsLeft > 0; batch = metadata ? rowsLeft : limit) {
        const entries = filter`PartitionKey eq ${partitionKey} and RowKey gt ${position}`;
        const found = await queryRows<IndexRow>(table, entries, Math.min(batch, rowsLeft), deadline);
        rowsLeft -= found.rows.length;
        const rows = metadata ? affordable(found.rows, rowsLeft) : found.rows;
        if (metadata) rowsLeft -= rows.filter((row) => !isTrusted(row)).length;
        const hasMore = found.hasMore || rows.length < found.rows.length;
        for (const { thread, listed } of await checkEntries(partitionKey, rows)) {
          // An imported id is a usable cursor only while its thread exists.
          if (listed || indexRowKeyOf(thread.threadId) !== undefined) lastId = thread.threadId;
          if (listed && (!metadata || hasPair(thread.metadata, metadata))) items.push(thread);
          if (items.length === limit) {
            return { items, hasMore: hasMore || thread.threadId !== lastThreadId(rows), lastId };
          }
        }
        if (!hasMore) return { items, hasMore: false, lastId: items.at(-1)?.threadId };
        if (rows.length < found.rows.length) break;
        position = rows.at(-1)?.rowKey ?? position;
      }
      // There is no usable cursor, so the client could not continue. The index has been repaired for its retry.
      if (lastId === undefined) throw new AppError('unavailable');
      return { items, hasMore: true, lastId };
    },
  };
}

/** Returns the first of some entries, up to the one whose thread would be one read too many. */
function affordable(rows: readonly TableEntityResult<IndexRow>[], reads: number) {
  const tooMany = rows.filter((row) => !isTrusted(row))[reads];
  return tooMany ? rows.slice(0, rows.indexOf(tooMany)) : rows;
}

/**
 * Returns how to repair an entry that lists cannot rely on.
 * @param row of its thread, if there is one.
 */
function repairOf(entry: TableEntityResult<IndexRow>, row: TableEntityResult<ThreadRow> | undefined) {
  if (!row) return ageOf(entry) > staleEntryMs ? 'delete' : undefined;
  const isChanging = entry.changing && ageOf(entry) < settledChangeMs;
  if (row.closed || entry.closing || isChanging) return undefined;
  return { checked: true, changing: false, ...toMetadataColumn(toThread(row).metadata ?? {}) };
}

/** @param repair columns to merge if the entry has not changed since. */
const toAction = (
  partitionKey: string,
  { rowKey = '', etag }: TableEntityResult<IndexRow>,
  repair: 'delete' | Partial<IndexRow>,
): TransactionAction =>
  repair === 'delete'
    ? ['delete', { partitionKey, rowKey }]
    : ['update', { partitionKey, rowKey, ...repair }, 'Merge', { etag }];

const keysOf = (thread: NewThread) => ({
  partitionKey: toIndexPartitionKey(thread.projectId),
  rowKey: toIndexRowKey(thread),
});

const lastThreadId = (rows: readonly TableEntityResult<IndexRow>[]): string | undefined => {
  const last = rows.at(-1);
  return last && toNewThread(last).threadId;
};
