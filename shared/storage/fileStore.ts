import type { TableEntityResult, TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import type { FileKey, FilePurpose, StoredFile } from '../model/file.ts';
import { countDown, countUp, isFileId } from '../model/ids.ts';
import { queryRows } from './pages.ts';
import { filter, roundTrip, type Table } from './tables.ts';

/*
 * Files of a project: a partition of the table `threads`, with a row for each file and an entry for it in each list. The
 * table sorts by key in one direction only, so each order has a list of its own, and so has each purpose.
 */

interface FileRow {
  fileId: string;
  engineFileId: string;
  mediaType: string;
  bytes: number;
  createdAt: Date;
  purpose: FilePurpose;
}

export interface FilePageRequest {
  readonly limit: number;
  /** `desc` for newest first. */
  readonly order: 'asc' | 'desc';
  /** Only files for this purpose; all by default. */
  readonly purpose?: FilePurpose | undefined;
  /** The file after which the page starts. */
  readonly after?: StoredFile | undefined;
}

export interface FileStore {
  find(file: FileKey): Promise<StoredFile | undefined>;
  /** Returns a page of a project's files, from one query. @param page of at most 999 files. */
  list(
    projectId: string,
    page: FilePageRequest,
  ): Promise<{ readonly files: readonly StoredFile[]; readonly hasMore: boolean }>;
  add(file: StoredFile): Promise<void>;
  remove(file: StoredFile): Promise<void>;
}

/** Returns the partition key of a project's files. No thread has the same key, since thread ids start with `thread_`. */
const toPartitionKey = (projectId: string) => `${projectId}:files`;

const toListKey = (order: 'asc' | 'desc', purpose: FilePurpose | undefined) =>
  `list_${order}_${purpose ?? 'all'}_`;

const toEntryKey = ({ fileId, createdAt }: StoredFile, order: 'asc' | 'desc', purpose?: FilePurpose) =>
  `${toListKey(order, purpose)}${order === 'desc' ? countDown(createdAt) : countUp(createdAt)}_${fileId}`;

/** Returns the keys of all rows of a file. */
const rowKeysOf = (file: StoredFile): string[] => [
  file.fileId,
  ...(['asc', 'desc'] as const).flatMap((order) => [
    toEntryKey(file, order),
    toEntryKey(file, order, file.purpose),
  ]),
];

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createFileStore(table: Table, deadline?: Deadline): FileStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  const submit = (actions: TransactionAction[]) =>
    once((client, options) => client.submitTransaction(actions, options));

  return {
    async find({ projectId, fileId }) {
      // The store refuses some characters in a key, and entries of lists have keys too.
      if (!isFileId(fileId)) return undefined;
      const row = await once((client, options) =>
        client.getEntity<FileRow>(toPartitionKey(projectId), fileId, options),
      );
      return typeof row === 'object' ? toFile(projectId, row) : undefined;
    },

    async list(projectId, { limit, order, purpose, after }) {
      const list = toListKey(order, purpose);
      const start = after ? toEntryKey(after, order, purpose) : list;
      // '~' is greater than any character of the times and ids that follow.
      const entries = filter`PartitionKey eq ${toPartitionKey(projectId)} and RowKey gt ${start} and RowKey lt ${`${list}~`}`;
      const { rows, hasMore } = await queryRows<FileRow>(table, entries, limit, deadline);
      return { files: rows.map((row) => toFile(projectId, row)), hasMore };
    },

    async add({ projectId, ...columns }) {
      const partitionKey = toPartitionKey(projectId);
      // Replaced, because the client retries a transaction whose response was lost.
      await submit(
        rowKeysOf({ projectId, ...columns }).map((rowKey) => [
          'upsert',
          { partitionKey, rowKey, ...columns },
          'Replace',
        ]),
      );
    },

    async remove(file) {
      const partitionKey = toPartitionKey(file.projectId);
      // Refused as a whole if the file has been removed already.
      await submit(rowKeysOf(file).map((rowKey) => ['delete', { partitionKey, rowKey }]));
    },
  };
}

const toFile = (projectId: string, row: TableEntityResult<FileRow>): StoredFile => ({
  projectId,
  fileId: row.fileId,
  engineFileId: row.engineFileId,
  mediaType: row.mediaType,
  bytes: row.bytes,
  createdAt: row.createdAt,
  purpose: row.purpose,
});
