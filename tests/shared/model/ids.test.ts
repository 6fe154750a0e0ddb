import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isRunId, isThreadId, newId } from '../../../shared/model/ids.ts';

/** As far as nine digits of base 36 reach, in the year 5188. */
const milliseconds = fc.integer({ min: 0, max: 36 ** 9 - 1 });

describe.each(['thread', 'run'] as const)('an id of a %s', (prefix) => {
  const [isOwn, isOther] = prefix === 'thread' ? [isThreadId, isRunId] : [isRunId, isThreadId];

  test('has letters and digits behind its prefix, at most 64 characters in all, at any time', () => {
    fc.assert(
      fc.property(milliseconds, (time) => {
        const id = newId(prefix, new Date(time));
        expect(id).toMatch(RegExp(`^${prefix}_[a-z0-9]+$`));
        expect(id.length).toBeLessThanOrEqual(64);
        expect([isOwn(id), isOther(id)]).toEqual([true, false]);
      }),
    );
  });

  test('comes before all earlier ones in the order of text', () => {
    fc.assert(
      fc.property(milliseconds, milliseconds, (one, other) => {
        fc.pre(one !== other);
        const [earlier, later] = [new Date(Math.min(one, other)), new Date(Math.max(one, other))];
        expect(newId(prefix, later) < newId(prefix, earlier)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('occurs once, however many come at the same time', () => {
    const now = new Date();
    const ids = Array.from({ length: 10_000 }, () => newId(prefix, now));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each([
    ...['', '_', '_abc123\n', '_abc\n123', '\n_abc123', '_a b', '_a-b', '_a_b', '_a.b', '_ä', '_a/b', '_a:b'],
    ...["_a'b", '_\0', '_１', '_😀', '_%61', 'x_abc', ' _abc', '_abc ', '_abc\u2028'],
  ])('is not its prefix followed by %j', (rest) => {
    expect(isOwn(prefix + rest)).toBe(false);
  });

  test('is not nothing', () => {
    expect(isOwn(undefined)).toBe(false);
  });

  test.each([
    '',
    'abc123',
    '_abc123',
    'Thread_abc',
    'RUN_abc',
    'key_abc',
    'conv_abc',
    '\nthread_a',
    ' run_a',
  ])('is not %j', (id) => {
    expect(isOwn(id)).toBe(false);
  });

  test('has at most 64 characters', () => {
    const longest = `${prefix}_`.padEnd(64, 'x');
    expect([isOwn(longest), isOwn(`${longest}x`)]).toEqual([true, false]);
  });

  test("may be that of the contract's examples", () => {
    expect(isOwn(prefix === 'thread' ? 'thread_abc123' : 'run_def456789')).toBe(true);
  });
});
