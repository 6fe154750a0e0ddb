import type { Deadline } from '../deadline.ts';
import type { StoredVectorStore, VectorStoreKey } from '../model/vectorStore.ts';
import { createListedRows, type RowPageRequest } from './listedRows.ts';
import type { Table } from './tables.ts';

/** The vector stores of projects, which the engine keeps. Those of projects' documents are not among them. */
export interface VectorStoreRegistry {
  /** @param vectorStore with an id of the project. */
  find(vectorStore: VectorStoreKey): Promise<StoredVectorStore | undefined>;
  /** Returns a page of a project's vector stores, from one query. @param page of at most 999. */
  list(
    projectId: string,
    page: Omit<RowPageRequest<StoredVectorStore>, 'label'>,
  ): Promise<{ readonly rows: readonly StoredVectorStore[]; readonly hasMore: boolean }>;
  add(vectorStore: StoredVectorStore): Promise<void>;
  remove(vectorStore: StoredVectorStore): Promise<void>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createVectorStoreRegistry(table: Table, deadline?: Deadline): VectorStoreRegistry {
  const stores = createListedRows<Omit<StoredVectorStore, 'projectId'>>(
    table,
    {
      partition: 'stores',
      idOf: ({ vectorStoreId }) => vectorStoreId,
      read: ({ vectorStoreId, createdAt, requestHash }) => ({ vectorStoreId, createdAt, requestHash }),
    },
    deadline,
  );
  return {
    async find({ projectId, vectorStoreId }) {
      const found = await stores.find(projectId, vectorStoreId);
      return found && { projectId, ...found.value };
    },

    async list(projectId, page) {
      const { rows, hasMore } = await stores.list(projectId, page);
      return { rows: rows.map((row) => ({ projectId, ...row })), hasMore };
    },

    add: ({ projectId, ...columns }) => stores.add(projectId, columns),
    remove: (vectorStore) => stores.remove(vectorStore.projectId, vectorStore),
  };
}
