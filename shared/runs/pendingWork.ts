import { scheduler } from 'node:timers/promises';

/** How long failed work is retried in the background, in milliseconds. */
const maxRetryingMs = 60_000;

const firstDelayMs = 250;
const maxDelayMs = 5_000;

/**
 * Work on runs that must still be done after the store or the engine failed: recording what only the request knew, or
 * cancelling a response that no record refers to.
 */
export interface PendingWork {
  /** Retries work on a run in the background until it succeeds, for at most a minute. */
  retry(runId: string, work: () => Promise<void>): void;
  /**
   * Does the pending work on a run immediately.
   * @returns whether there was any.
   * @throws what the work throws; the work then stays pending.
   */
  flush(runId: string): Promise<boolean>;
}

export function createPendingWork(): PendingWork {
  const pending = new Map<string, () => Promise<void>>();

  const flush = async (runId: string) => {
    const work = pending.get(runId);
    if (!work) return false;
    await work();
    if (pending.get(runId) === work) pending.delete(runId);
    return true;
  };

  const retry = async (runId: string, work: () => Promise<void>) => {
    const until = Date.now() + maxRetryingMs;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, maxDelayMs)) {
      await scheduler.wait(delayMs);
      if (pending.get(runId) !== work) return;
      try {
        await flush(runId);
      } catch {
        // The run then expires at its deadline with an unknown outcome.
        if (Date.now() > until) pending.delete(runId);
      }
    }
  };

  return {
    retry(runId, work) {
      pending.set(runId, work);
      void retry(runId, work);
    },
    flush,
  };
}
