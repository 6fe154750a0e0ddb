/** Longest time a caller waits for anything, with a second to spare for the answer's way back. */
const requestMs = 29_000;

/** What is left of a request's time. */
export interface Deadline {
  /**
   * Milliseconds a step may take: at most `maxMs`, at most what is left, and at least 1.
   * @param reserveMs left for the steps after it.
   */
  within(maxMs: number, reserveMs?: number): number;
  /** Adds time that the caller asked to be made to wait. */
  extend(ms: number): void;
}

/** A deadline that starts now. */
export function startDeadline(): Deadline {
  let end = performance.now() + requestMs;
  return {
    within: (maxMs, reserveMs = 0) =>
      Math.floor(Math.max(1, Math.min(maxMs, end - reserveMs - performance.now()))),
    extend: (ms) => {
      end += ms;
    },
  };
}
