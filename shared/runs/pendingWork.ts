import { scheduler } from 'node:timers/promises';

/** How long failed work is tried again in the background, in milliseconds. */
const longestMs = 60_000;

const firstDelayMs = 250;
const longestDelayMs = 5_000;

/**
 * Work on a run that has to be done although the store or the engine failed just now: to record what its request alone
 * knows, or to stop what no record leads to.
 */
export interface PendingWork {
  /** Tries work on a run again in the background until it succeeds, at most for a minute. */
  retry(runId: string, work: () => Promise<void>): void;
  /**
   * Does the pending work on a run now.
   * @returns whether there was any. @throws what the work throws; it stays pending then.
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
    const until = Date.now() + longestMs;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, longestDelayMs)) {
      await scheduler.wait(delayMs);
      if (pending.get(runId) !== work) return;
      try {
        await flush(runId);
      } catch {
        // The run is given up at its deadline then, as one whose outcome is unknown.
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
