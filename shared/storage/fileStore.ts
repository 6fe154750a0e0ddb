import type { TableEntityResult } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import type { FileKey, StoredFile } from '../model/file.ts';
import { roundTrip, type Table } from './tables.ts';

/*
 * Files of a project: a partition of the table `threads`, with a row for each file.
 */

interface FileRow {
  engineFileId: string;
  mediaType: string;
  bytes: number;
  createdAt: Date;
}

export interface FileStore {
  find(file: FileKey): Promise<StoredFile | undefined>;
  add(file: StoredFile): Promise<void>;
  remove(file: FileKey): Promise<void>;
}

/** Returns the partition key of a project's files. No thread has the same key, since thread ids start with `thread_`. */
const toPartitionKey = (projectId: string) => `${projectId}:files`;

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createFileStore(table: Table, deadline?: Deadline): FileStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);

  return {
    async find({ projectId, fileId }) {
      const row = await once((client, options) =>
        client.getEntity<FileRow>(toPartitionKey(projectId), fileId, options),
      );
      return typeof row === 'object' ? toFile(projectId, row) : undefined;
    },

    async add({ projectId, fileId, ...columns }) {
      const row = { partitionKey: toPartitionKey(projectId), rowKey: fileId, ...columns };
      // Replaced, because the client retries an insert whose response was lost.
      await once((client, options) => client.upsertEntity(row, 'Replace', options));
    },

    async remove({ projectId, fileId }) {
      await once((client, options) => client.deleteEntity(toPartitionKey(projectId), fileId, options));
    },
  };
}

const toFile = (projectId: string, row: TableEntityResult<FileRow>): StoredFile => ({
  projectId,
  fileId: row.rowKey ?? '',
  engineFileId: row.engineFileId,
  mediaType: row.mediaType,
  bytes: row.bytes,
  createdAt: row.createdAt,
});
