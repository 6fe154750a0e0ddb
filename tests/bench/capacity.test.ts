import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { capacityTables } from '../../scripts/capacity.ts';

test('docs/benchmarks.md has the tables that `npm run bench:capacity` prints', async () => {
  const text = await readFile(new URL('../../docs/benchmarks.md', import.meta.url), 'utf8');
  const tables = /<!-- npm run bench:capacity -->\n\n([\s\S]*?)\n\n<!-- end -->/.exec(text)?.[1];
  expect(tables).toBe(capacityTables());
});
