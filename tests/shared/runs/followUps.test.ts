import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { delaySeconds } from '../../../shared/runs/followUps.ts';

const now = new Date('2026-11-25T12:00:00.000Z');
const later = (ms: number) => new Date(now.getTime() + ms);
const delays = (kind: 'run' | 'deletion', deadline?: Date) =>
  Array.from({ length: 9 }, (_, attempt) => delaySeconds({ kind, attempt }, deadline, now));

describe('the delay of a follow-up', () => {
  test('of a run grows to ten minutes', () => {
    expect(delays('run')).toEqual([30, 60, 120, 240, 480, 600, 600, 600, 600]);
  });

  test('of a deletion grows to an hour', () => {
    expect(delays('deletion')).toEqual([30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
  });

  test.each([
    [0, 1],
    [1, 2],
    [1_000, 2],
    [100_400, 102],
  ])('of a run whose deadline is in %d ms ends just after it: %d s', (ms, seconds) => {
    expect(delaySeconds({ kind: 'run', attempt: 5 }, later(ms), now)).toBe(seconds);
  });

  test('grows for a run whose deadline has passed', () => {
    expect(delays('run', later(-1))).toEqual(delays('run'));
  });

  test('is a whole number of seconds that the queue accepts, for any attempt and deadline', () => {
    const any = fc.record({
      kind: fc.constantFrom('run' as const, 'deletion' as const),
      attempt: fc.maxSafeNat(),
      ms: fc.option(fc.integer({ min: -1e9, max: 1e9 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(any, ({ kind, attempt, ms }) => {
        const deadline = ms === undefined ? undefined : later(ms);
        const seconds = delaySeconds({ kind, attempt }, deadline, now);
        expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 3_600).toBe(true);
        if (deadline && deadline >= now) expect(later(seconds * 1000) > deadline || seconds >= 30).toBe(true);
      }),
    );
  });
});
