import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { queryRows } from '../../../shared/storage/pages.ts';
import { filter, type Table } from '../../../shared/storage/tables.ts';
import { type StoreProxy, startStoreProxy } from '../../support/storeProxy.ts';
import { insertRows, proxiedThreadsTable, threadsTable } from '../../support/table.ts';

let proxy: StoreProxy;
let table: Table;
const partitionKey = `${randomUUID()}:pages`;
const keys = Array.from({ length: 25 }, (_, index) => `row_${index + 10}`);

beforeAll(async () => {
  proxy = await startStoreProxy(Number(process.env['TEST_TABLES_PORT']));
  const client = await proxiedThreadsTable(proxy.port);
  table = async () => client;
  await (await threadsTable()).createTable();
  await insertRows(keys.map((rowKey) => ({ partitionKey, rowKey })));
});
afterAll(() => proxy.close());
beforeEach(() => proxy.reset());

/** All rows, page by page. */
async function readAll(limit: number): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const behind = filter`PartitionKey eq ${partitionKey} and RowKey gt ${found.at(-1) ?? ''}`;
    const { rows, hasMore } = await queryRows(table, behind, limit);
    if (hasMore) expect(rows).toHaveLength(limit);
    found.push(...rows.map(({ rowKey = '' }) => rowKey));
    if (!hasMore) return found;
  }
}

describe('queryRows', () => {
  test('takes one round trip a page when the store gives what it is asked for', async () => {
    expect(await readAll(10)).toEqual(keys);
    expect(proxy.roundTrips).toEqual(['query', 'query', 'query']);
  });

  test.each([1, 2, 3, 4, 5])(
    'gives every row once, in full pages, wherever the store ends its own (seed %i)',
    async (seed) => {
      for (const limit of [1, 7, 25, 100]) {
        proxy.reset();
        proxy.page(seed);
        expect(await readAll(limit)).toEqual(keys);
        expect(proxy.roundTrips.length).toBeGreaterThan(Math.ceil(keys.length / limit));
      }
    },
  );

  test('gives the columns it is asked for only', async () => {
    const all = filter`PartitionKey eq ${partitionKey}`;
    const { rows } = await queryRows(table, all, 1, undefined, ['RowKey']);
    expect(rows[0]).toMatchObject({ rowKey: keys[0] });
    expect(rows[0]?.partitionKey).toBeUndefined();
  });
});
