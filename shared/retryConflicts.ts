import { scheduler } from 'node:timers/promises';
import { AppError } from './errors.ts';

/** Maximum attempts, which take a few seconds: only dozens of changes of the same thing at once need more. */
export const maxAttempts = 50;

/** Bound of the wait after the first conflict, in milliseconds; it doubles with every attempt, up to the longest. */
const firstWaitMs = 10;
const longestWaitMs = 200;

/** Waits before another attempt, since requests that keep meeting each other would all but one be in vain. */
export const waitAfterConflict = (attempts: number): Promise<void> =>
  scheduler.wait(Math.random() * Math.min(firstWaitMs * 2 ** attempts, longestWaitMs));

/**
 * Makes a change that is conditional on what was read before, again after each concurrent change.
 * @param attempt reads and changes.
 * @throws {AppError} unavailable when all attempts have failed; also what an attempt throws, as it does after the deadline.
 */
export async function retryConflicts<T>(attempt: () => Promise<T | 'conflict'>): Promise<T> {
  for (let attempts = 0; attempts < maxAttempts; attempts++) {
    const result = await attempt();
    if (result !== 'conflict') return result;
    await waitAfterConflict(attempts);
  }
  throw new AppError('unavailable');
}
