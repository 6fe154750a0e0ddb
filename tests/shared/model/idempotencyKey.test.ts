import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toIdempotencyKey } from '../../../shared/model/idempotencyKey.ts';

const key = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 255,
});
const input = fc.record({
  message: fc.string({ minLength: 1 }),
  instructions: fc.option(fc.string(), { nil: null }),
});

describe('an Idempotency-Key in the store', () => {
  test('is the same for the same key and request', () => {
    fc.assert(
      fc.property(key, input, (text, { message, instructions }) => {
        // The order of a body's properties is not part of the request.
        expect(toIdempotencyKey(text, { instructions, message })).toEqual(
          toIdempotencyKey(text, { message, instructions }),
        );
      }),
    );
  });

  test('has another row for another key, whatever the request', () => {
    fc.assert(
      fc.property(key, key, input, input, (one, other, first, second) => {
        const same = toIdempotencyKey(one, first).rowKey === toIdempotencyKey(other, second).rowKey;
        expect(same).toBe(one === other);
      }),
    );
  });

  test('has another fingerprint for another request', () => {
    fc.assert(
      fc.property(key, input, input, (text, one, other) => {
        const same = toIdempotencyKey(text, one).fingerprint === toIdempotencyKey(text, other).fingerprint;
        expect(same).toBe(one.message === other.message && one.instructions === other.instructions);
      }),
    );
  });

  test.each([
    [
      { message: 'ab', instructions: 'c' },
      { message: 'a', instructions: 'bc' },
    ],
    [
      { message: 'a', instructions: null },
      { message: 'a', instructions: '' },
    ],
    [
      { message: 'a', instructions: null },
      { message: 'a', instructions: 'null' },
    ],
    [
      { message: 'a","b', instructions: 'c' },
      { message: 'a', instructions: 'b","c' },
    ],
    [
      { message: 'a', instructions: 'b' },
      { message: 'b', instructions: 'a' },
    ],
    [
      { message: 'a', instructions: null },
      { message: 'A', instructions: null },
    ],
  ])('tells %j from %j', (one, other) => {
    expect(toIdempotencyKey('k', one).fingerprint).not.toBe(toIdempotencyKey('k', other).fingerprint);
  });

  test('has the fingerprint of earlier versions for a request without metadata', () => {
    const earlier = createHmac('sha256', 'k').update('["x",null]').digest('hex');
    for (const metadata of [undefined, {}]) {
      const request = { message: 'x', instructions: null, ...(metadata && { metadata }) };
      expect(toIdempotencyKey('k', request).fingerprint).toBe(earlier);
    }
  });

  test('tells keys apart that differ by a letter case or a slash', () => {
    const rows = ['k', 'K', 'k/', 'k#', 'k?', 'k\\'].map(
      (text) => toIdempotencyKey(text, { message: 'x', instructions: null }).rowKey,
    );
    expect(new Set(rows).size).toBe(rows.length);
  });

  test('holds nothing that could be read, and only what a row key may hold', () => {
    fc.assert(
      fc.property(key, input, (text, request) => {
        const { rowKey, fingerprint } = toIdempotencyKey(text, request);
        expect(rowKey).toMatch(/^key_[0-9a-f]{64}$/);
        expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
      }),
    );
  });

  test('has a fingerprint that depends on the key, so that short messages cannot be looked up', () => {
    const request = { message: 'yes', instructions: null };
    expect(toIdempotencyKey('a', request).fingerprint).not.toBe(toIdempotencyKey('b', request).fingerprint);
  });
});
