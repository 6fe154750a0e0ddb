import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { createVectorStoreRegistry } from '../../../shared/storage/vectorStoreRegistry.ts';
import { threadsTable } from '../../support/table.ts';

beforeAll(async () => {
  await (await threadsTable()).createTable();
});

test('objects of one millisecond are in opposite places in the two orders, whatever their ids', async () => {
  const projectId = randomUUID();
  const stores = createVectorStoreRegistry(threadsTable);
  const createdAt = new Date();
  for (const vectorStoreId of ['vs_b', 'vs_ab', 'vs_a', 'vs_A-', 'vs_A_']) {
    await stores.add({ projectId, vectorStoreId, createdAt, requestHash: '' });
  }
  const list = async (order: 'asc' | 'desc', after?: string) => {
    const start = after === undefined ? undefined : await stores.find({ projectId, vectorStoreId: after });
    const { rows } = await stores.list(projectId, { order, limit: 10, after: start });
    return rows.map(({ vectorStoreId }) => vectorStoreId);
  };
  const newestFirst = await list('desc');
  expect(newestFirst).toHaveLength(5);
  expect(await list('asc')).toEqual(newestFirst.toReversed());
  for (const [index, id] of newestFirst.entries()) {
    expect(await list('desc', id)).toEqual(newestFirst.slice(index + 1));
    expect(await list('asc', id)).toEqual(newestFirst.slice(0, index).toReversed());
  }
});
