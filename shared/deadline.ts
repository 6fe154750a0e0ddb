import { AppError } from './errors.ts';

/** Time limit of a request, in milliseconds: 30 s, less a second for sending the response. */
const requestMs = 29_000;

/** Time limit of a request. */
export interface Deadline {
  /**
   * Returns the timeout of a step in milliseconds: `maxMs`, or the remaining time if that is less; at least 1.
   * @param reserveMs time to keep for later steps.
   */
  remaining(maxMs: number, reserveMs?: number): number;
  /** Extends the deadline by the time that the client asked to wait. */
  extend(ms: number): void;
}

/**
 * Runs work with a signal that aborts after `ms` milliseconds. Unlike `AbortSignal.timeout`, the timer is cleared when
 * the work is done: on a busy worker, thousands of pending timers would cost more than the work.
 */
export async function withTimeout<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for shared work until the deadline at most. The work itself is not cancelled.
 * @throws {AppError} `unavailable` when the time is up; otherwise what the work throws.
 */
export const waitWithin = <T>(deadline: Deadline, work: Promise<T>): Promise<T> =>
  waitFor(deadline.remaining(requestMs), work);

/**
 * Waits for work for at most `ms` milliseconds. The work itself is not cancelled.
 * @throws {AppError} `unavailable` when the time is up; otherwise what the work throws.
 */
export const waitFor = <T>(ms: number, work: Promise<T>): Promise<T> =>
  race(work, ms, () => {
    throw new AppError('unavailable');
  });

/** Waits for work that never rejects, for at most `ms` milliseconds, then goes on. The work itself is not cancelled. */
export const waitAtMost = (ms: number, work: Promise<unknown>): Promise<unknown> =>
  race(work, ms, () => undefined);

/** Waits for work. After `ms` milliseconds, takes what `late` returns or throws in its place. */
async function race<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return await Promise.race([work, timeUp.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a deadline. */
export function startDeadline(): Deadline {
  let end = performance.now() + requestMs;
  return {
    remaining: (maxMs, reserveMs = 0) =>
      Math.floor(Math.max(1, Math.min(maxMs, end - reserveMs - performance.now()))),
    extend: (ms) => {
      end += ms;
    },
  };
}
