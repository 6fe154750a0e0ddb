import { describe, expect, test } from '@jest/globals';
import { parseIdempotencyKey } from '../../../shared/http/headers.ts';
import { createRequest, fieldErrors } from '../../support/parsing.ts';

describe('an Idempotency-Key', () => {
  const parse = (key: string) => parseIdempotencyKey(createRequest({ headers: { 'Idempotency-Key': key } }));

  test('may be absent', () => {
    expect(parseIdempotencyKey(createRequest())).toBeUndefined();
  });

  test.each(['x', '!', '~', '8e03978e-40d5-43dd-bc93-6894a57f9324', '"quoted"', 'x'.repeat(255)])(
    'may be %s',
    (key) => {
      expect(parse(key)).toBe(key);
    },
  );

  test.each(['', 'two words', 'a\tb', 'é', 'x'.repeat(256), '\x7f'])('cannot be %j', async (key) => {
    expect(await fieldErrors(() => parse(key))).toEqual({
      'Idempotency-Key': ['The Idempotency-Key header must be 1 to 255 visible ASCII characters.'],
    });
  });
});
