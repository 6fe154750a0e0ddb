import type { TableEntityResult, TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { countDown, countUp } from '../model/ids.ts';
import type { Stored } from '../model/stored.ts';
import { queryRows } from './pages.ts';
import { filter, roundTrip, type Table } from './tables.ts';

/*
 * Objects of a project that are listed in both orders: a partition of the table `threads`, with a row for each object and
 * an entry for it in each list. The table sorts by key in one direction only, so each order has a list of its own.
 */

/** What every listed row has. */
interface ListedColumns {
  readonly createdAt: Date;
}

export interface RowPageRequest<Columns> {
  readonly limit: number;
  /** `desc` for newest first. */
  readonly order: 'asc' | 'desc';
  /** Only rows with this label; all by default. */
  readonly label?: string | undefined;
  /** The row after which the page starts. */
  readonly after?: Columns | undefined;
}

export interface ListedRows<Columns> {
  find(projectId: string, id: string): Promise<Stored<Columns> | undefined>;
  /** Returns a page of a project's rows, from one query. @param page of at most 999 rows. */
  list(
    projectId: string,
    page: RowPageRequest<Columns>,
  ): Promise<{ readonly rows: readonly Columns[]; readonly hasMore: boolean }>;
  /** Adds a row and its entries, unless they are there. */
  add(projectId: string, columns: Columns): Promise<void>;
  /**
   * Replaces a row and its entries by one of the same id, time and labels.
   * @returns whether they were replaced; false when they were changed or removed concurrently.
   */
  replace(projectId: string, before: Stored<Columns>, columns: Columns): Promise<boolean>;
  /** Removes a row and its entries, unless they have been removed already. */
  remove(projectId: string, columns: Columns): Promise<void>;
}

/** The lists of a kind of objects. */
interface Lists<Columns> {
  /** Last part of the partition key. No thread has the same key, since thread ids start with `thread_`. */
  readonly partition: string;
  /** Returns the row key of an object. */
  readonly idOf: (columns: Columns) => string;
  /** Returns the labels by which an object is listed, besides the list of all. */
  readonly labelsOf?: (columns: Columns) => readonly string[];
  /** Reads a row. */
  readonly read: (row: TableEntityResult<Columns & object>) => Columns;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createListedRows<Columns extends ListedColumns>(
  table: Table,
  { partition, idOf, labelsOf = () => [], read }: Lists<Columns>,
  deadline?: Deadline,
): ListedRows<Columns> {
  const toPartitionKey = (projectId: string) => `${projectId}:${partition}`;
  const toEntryKey = (columns: Columns, order: 'asc' | 'desc', label: string | undefined) => {
    const { createdAt } = columns;
    const id = idOf(columns);
    const place = order === 'desc' ? `${countDown(createdAt)}_${id}` : `${countUp(createdAt)}_${mirror(id)}`;
    return `${toListKey(order, label)}${place}`;
  };
  /** Selects the entries of a list after a key. */
  const toFilter = (projectId: string, list: string, start: string) =>
    // '~' is greater than any character of the times and ids that follow.
    filter`PartitionKey eq ${toPartitionKey(projectId)} and RowKey gt ${start} and RowKey lt ${`${list}~`}`;
  /** Returns the keys of all rows of an object, its own first. */
  const rowKeysOf = (columns: Columns): string[] => [
    idOf(columns),
    ...(['asc', 'desc'] as const).flatMap((order) =>
      [undefined, ...labelsOf(columns)].map((label) => toEntryKey(columns, order, label)),
    ),
  ];
  const toRows = (projectId: string, columns: Columns) =>
    rowKeysOf(columns).map((rowKey) => ({
      ...{ partitionKey: toPartitionKey(projectId), rowKey },
      ...(columns as object),
    }));
  const submit = (actions: TransactionAction[]) =>
    roundTrip(table, (client, options) => client.submitTransaction(actions, options), deadline);

  return {
    async find(projectId, id) {
      const row = await roundTrip(
        table,
        (client, options) => client.getEntity<Columns & object>(toPartitionKey(projectId), id, options),
        deadline,
      );
      return typeof row === 'object' ? { value: read(row), etag: row.etag } : undefined;
    },

    async list(projectId, { limit, order, label, after }) {
      const list = toListKey(order, label);
      const start = after ? toEntryKey(after, order, label) : list;
      const entries = toFilter(projectId, list, start);
      const { rows, hasMore } = await queryRows<Columns & object>(table, entries, limit, deadline);
      return { rows: rows.map(read), hasMore };
    },

    async add(projectId, columns) {
      // A transaction whose response was lost is repeated, and then refused, because it finds its own rows.
      await submit(toRows(projectId, columns).map((row) => ['create', row]));
    },

    async replace(projectId, { etag }, columns) {
      const result = await submit(
        toRows(projectId, columns).map((row, index) => [
          'update',
          row,
          'Replace',
          // The version of an object is that of its first row.
          index === 0 ? { etag } : {},
        ]),
      );
      return typeof result === 'object';
    },

    async remove(projectId, columns) {
      const partitionKey = toPartitionKey(projectId);
      // Refused as a whole if the object has been removed already.
      await submit(rowKeysOf(columns).map((rowKey) => ['delete', { partitionKey, rowKey }]));
    },
  };
}

const toListKey = (order: 'asc' | 'desc', label = 'all') => `list_${order}_${label}_`;

/** The characters of ids, as the table sorts them. */
const idCharacters = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';

/**
 * Returns a text that sorts the other way than an id: objects of one millisecond must be in opposite places in the two orders,
 * because a page before one of them is read in the opposite order.
 */
const mirror = (id: string): string =>
  // The end is greater than any character, so that an id comes after those that begin with it.
  `${id.replace(/./g, (one) => idCharacters.at(-1 - idCharacters.indexOf(one)) ?? '')}~`;
