import type { TableClient } from '@azure/data-tables';
import { openTable } from '../../shared/storage/tables.ts';

/** The table `threads` of all tests, without a proxy. */
export const threadsTable = (): Promise<TableClient> =>
  openTable({ connectionString: process.env['TEST_TABLES_CONNECTION_STRING'] ?? '' }, 'threads');

/** The same table behind a proxy. */
export const proxiedThreadsTable = (port: number): Promise<TableClient> => {
  const connectionString = process.env['TEST_TABLES_CONNECTION_STRING'] ?? '';
  return openTable(
    { connectionString: connectionString.replace(/:\d+\/devstoreaccount1/, `:${port}/devstoreaccount1`) },
    'threads',
  );
};

/** Reads all rows of a project: its index, and its threads with their runs and keys. */
export async function rowsOf(projectId: string): Promise<Record<string, unknown>[]> {
  const table = await threadsTable();
  const filter = `PartitionKey ge '${projectId}:' and PartitionKey lt '${projectId};'`;
  return Array.fromAsync(table.listEntities({ queryOptions: { filter } }), (row) => ({ ...row }));
}

/** Inserts rows of one partition in batches. */
export async function insertRows(
  rows: readonly { partitionKey: string; rowKey: string; [column: string]: unknown }[],
): Promise<void> {
  const table = await threadsTable();
  for (let start = 0; start < rows.length; start += 100) {
    await table.submitTransaction(rows.slice(start, start + 100).map((row) => ['create', row]));
  }
}
