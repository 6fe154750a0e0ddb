import type { TableEntityResult } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import type { Stored } from '../model/stored.ts';
import type { StoredAssistant } from '../model/storedAssistant.ts';
import { queryRows } from './pages.ts';
import { filter, roundTrip, type Table } from './tables.ts';

/*
 * Assistants that editors created, in a partition of their project. Their ids begin with the time counted down, so the
 * table's order is newest first, except for imported ones.
 */

/** An assistant's row: JSON in UTF-8, in as many columns as it takes, since each holds 64 KB. */
type AssistantRow = { readonly createdAt: Date } & { readonly [column: `json${number}`]: Uint8Array };

const columnBytes = 60_000;

/** Identifies an assistant that an editor created. */
export interface AssistantKey {
  readonly projectId: string;
  readonly assistantId: string;
}

export interface AssistantStore {
  find(assistant: AssistantKey): Promise<Stored<StoredAssistant> | undefined>;
  /** Returns the assistants of a project, in the order of their ids. @param limit at most 999. */
  list(projectId: string, limit: number): Promise<readonly StoredAssistant[]>;
  add(assistant: StoredAssistant): Promise<void>;
  /** @returns whether it was replaced; false when it was changed or removed concurrently. */
  replace(before: Stored<StoredAssistant>, assistant: StoredAssistant): Promise<boolean>;
  remove(assistant: AssistantKey): Promise<void>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createAssistantStore(table: Table, deadline?: Deadline): AssistantStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  return {
    async find({ projectId, assistantId }) {
      const row = await once((client, options) =>
        client.getEntity<AssistantRow>(toPartitionKey(projectId), assistantId, options),
      );
      return typeof row === 'object' ? { value: toAssistant(row), etag: row.etag } : undefined;
    },

    async list(projectId, limit) {
      const all = filter`PartitionKey eq ${toPartitionKey(projectId)}`;
      const { rows } = await queryRows<AssistantRow>(table, all, limit, deadline);
      return rows.map(toAssistant);
    },

    async add(assistant) {
      // An insert whose response was lost is repeated, and then finds its own row.
      await once((client, options) => client.createEntity(toRow(assistant), options));
    },

    async replace({ etag }, assistant) {
      const result = await once((client, options) =>
        client.updateEntity(toRow(assistant), 'Replace', { etag, ...options }),
      );
      return typeof result === 'object';
    },

    async remove({ projectId, assistantId }) {
      // Not found any more if the client repeats a deletion whose response was lost.
      await once((client, options) => client.deleteEntity(toPartitionKey(projectId), assistantId, options));
    },
  };
}

/** No thread has the same key, since thread ids start with `thread_`. */
const toPartitionKey = (projectId: string) => `${projectId}:assistants`;

function toRow({ projectId, id, createdAt, ...definition }: StoredAssistant) {
  const json = new TextEncoder().encode(JSON.stringify(definition));
  const columns: Record<string, Uint8Array> = {};
  for (let start = 0; start < json.length; start += columnBytes) {
    columns[`json${start / columnBytes}`] = json.slice(start, start + columnBytes);
  }
  return { partitionKey: toPartitionKey(projectId), rowKey: id, createdAt, ...columns };
}

function toAssistant(row: TableEntityResult<AssistantRow>): StoredAssistant {
  const columns: Uint8Array[] = [];
  for (let index = 0; ; index++) {
    const column = row[`json${index}`];
    if (!column) break;
    columns.push(column);
  }
  return {
    ...JSON.parse(Buffer.concat(columns).toString('utf8')),
    id: row.rowKey ?? '',
    projectId: (row.partitionKey ?? '').split(':')[0] ?? '',
    createdAt: row.createdAt,
  };
}
