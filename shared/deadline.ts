import { AppError } from './errors.ts';

/** Longest time a caller waits for anything, with a second to spare for the answer's way back. */
const requestMs = 29_000;

/** What is left of a request's time. */
export interface Deadline {
  /**
   * Milliseconds a step may take: at most `maxMs`, at most what is left, and at least 1.
   * @param reserveMs left for the steps after it.
   */
  remaining(maxMs: number, reserveMs?: number): number;
  /** Adds time that the caller asked to be made to wait. */
  extend(ms: number): void;
}

/**
 * Runs work with a signal that aborts after so many milliseconds. Unlike `AbortSignal.timeout`, nothing of it is left
 * when the work is done: thousands of timers that still wait to fire would cost a busy worker more than the work.
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
 * Waits for work that others share, no longer than a request lasts; the work goes on behind it.
 * @throws {AppError} `unavailable` when the time is up; else what the work throws.
 */
export async function waitWithin<T>(deadline: Deadline, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new AppError('unavailable')), deadline.remaining(requestMs));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for work that never fails, at most so many milliseconds; the work goes on behind it. */
export async function settleWithin(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** A deadline that starts now. */
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
