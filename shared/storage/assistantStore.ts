import type { Deadline } from '../deadline.ts';
import type { Stored } from '../model/stored.ts';
import type { StoredAssistant } from '../model/storedAssistant.ts';
import { createListedRows } from './listedRows.ts';
import type { Table } from './tables.ts';

/** An assistant's columns: JSON in UTF-8, in as many as it takes, since each holds 64 KB. */
interface AssistantColumns {
  readonly assistantId: string;
  readonly createdAt: Date;
  readonly [column: `json${number}`]: Uint8Array;
}

const columnBytes = 60_000;

/** Identifies an assistant that an editor created. */
export interface AssistantKey {
  readonly projectId: string;
  readonly assistantId: string;
}

interface AssistantPageRequest {
  readonly limit: number;
  /** `desc` for newest first. */
  readonly order: 'asc' | 'desc';
  /** The place after which the page starts. It outlasts its assistant. */
  readonly after?: Pick<StoredAssistant, 'id' | 'createdAt'> | undefined;
}

/** Assistants that editors created. */
export interface AssistantStore {
  find(assistant: AssistantKey): Promise<Stored<StoredAssistant> | undefined>;
  /** Returns a page of a project's assistants, from one query. @param page of at most 999. */
  list(
    projectId: string,
    page: AssistantPageRequest,
  ): Promise<{ readonly rows: readonly StoredAssistant[]; readonly hasMore: boolean }>;
  add(assistant: StoredAssistant): Promise<void>;
  /**
   * Replaces an assistant, but for its id and time.
   * @returns whether it was replaced; false when it was changed or removed concurrently.
   */
  replace(before: Stored<StoredAssistant>, assistant: StoredAssistant): Promise<boolean>;
  remove(assistant: StoredAssistant): Promise<void>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createAssistantStore(table: Table, deadline?: Deadline): AssistantStore {
  const assistants = createListedRows<AssistantColumns>(
    table,
    { partition: 'assistants', idOf: ({ assistantId }) => assistantId, read: (row) => row },
    deadline,
  );
  return {
    async find({ projectId, assistantId }) {
      const found = await assistants.find(projectId, assistantId);
      return found && { value: toAssistant(projectId, found.value), etag: found.etag };
    },

    async list(projectId, { after, ...page }) {
      const { rows, hasMore } = await assistants.list(projectId, {
        ...page,
        after: after && { assistantId: after.id, createdAt: after.createdAt },
      });
      return { rows: rows.map((row) => toAssistant(projectId, row)), hasMore };
    },

    add: (assistant) => assistants.add(assistant.projectId, toColumns(assistant)),
    replace: ({ value, etag }, assistant) =>
      assistants.replace(value.projectId, { value: toColumns(value), etag }, toColumns(assistant)),
    remove: (assistant) => assistants.remove(assistant.projectId, toColumns(assistant)),
  };
}

function toColumns({ projectId: _, id, createdAt, ...definition }: StoredAssistant): AssistantColumns {
  const json = new TextEncoder().encode(JSON.stringify(definition));
  const columns: Record<`json${number}`, Uint8Array> = {};
  for (let start = 0; start < json.length; start += columnBytes) {
    columns[`json${start / columnBytes}`] = json.slice(start, start + columnBytes);
  }
  return { assistantId: id, createdAt, ...columns };
}

function toAssistant(projectId: string, row: AssistantColumns): StoredAssistant {
  const columns: Uint8Array[] = [];
  for (let index = 0; ; index++) {
    const column = row[`json${index}`];
    if (!column) break;
    columns.push(column);
  }
  return {
    ...JSON.parse(Buffer.concat(columns).toString('utf8')),
    id: row.assistantId,
    projectId,
    createdAt: row.createdAt,
  };
}
