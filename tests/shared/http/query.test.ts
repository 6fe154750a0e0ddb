import { describe, expect, test } from '@jest/globals';
import { parseLimit } from '../../../shared/http/query.ts';
import { createRequest, fieldErrors } from '../../support/parsing.ts';

describe('a limit', () => {
  const parse = (query: string) => parseLimit(createRequest({ query }));

  test.each([
    ['', 50],
    ['?limit=1', 1],
    ['?limit=050', 50],
    ['?limit=100', 100],
  ])('of %j is %i', (query, limit) => {
    expect(parse(query)).toBe(limit);
  });

  test.each(['', '0', '101', '-1', '1.5', '1e2', '+5', '%205', '5,6', '0x10', 'all', 'NaN', '1000', '٥'])(
    'cannot be %j',
    async (limit) => {
      expect(await fieldErrors(() => parse(`?limit=${limit}`))).toEqual({
        Limit: ['The field Limit must be a whole number from 1 to 100.'],
      });
    },
  );
});
