import type { Deadline } from '../deadline.ts';
import type { FileKey, FilePurpose, StoredFile } from '../model/file.ts';
import { isFileId } from '../model/ids.ts';
import { createListedRows } from './listedRows.ts';
import type { Table } from './tables.ts';

/** Files of a project, listed by purpose too. */
type FileRow = Omit<StoredFile, 'projectId'>;

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
  ): Promise<{ readonly rows: readonly StoredFile[]; readonly hasMore: boolean }>;
  add(file: StoredFile): Promise<void>;
  remove(file: StoredFile): Promise<void>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createFileStore(table: Table, deadline?: Deadline): FileStore {
  const files = createListedRows<FileRow>(
    table,
    {
      partition: 'files',
      idOf: ({ fileId }) => fileId,
      labelsOf: ({ purpose }) => [purpose],
      read: ({ fileId, engineFileId, mediaType, bytes, createdAt, purpose }) => {
        return { fileId, engineFileId, mediaType, bytes, createdAt, purpose };
      },
    },
    deadline,
  );
  return {
    async find({ projectId, fileId }) {
      // The store refuses some characters in a key, and entries of lists have keys too.
      const found = isFileId(fileId) ? await files.find(projectId, fileId) : undefined;
      return found && { projectId, ...found.value };
    },

    async list(projectId, { purpose, ...page }) {
      const { rows, hasMore } = await files.list(projectId, { ...page, label: purpose });
      return { rows: rows.map((row) => ({ projectId, ...row })), hasMore };
    },

    add: ({ projectId, ...columns }) => files.add(projectId, columns),
    remove: (file) => files.remove(file.projectId, file),
  };
}
