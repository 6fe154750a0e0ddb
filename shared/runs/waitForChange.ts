import type { Run } from '../model/run.ts';
import { isTerminal, isWaiting, runDeadline } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { refreshRun } from './refreshRun.ts';
import type { RunServices } from './runServices.ts';

/**
 * Returns a run when its status changes or `waitMs` have passed; a run that waits for outputs is returned at once. Waiting costs no store requests and one stream of the
 * engine, shared by all readers of the run in this worker.
 * @param signal aborts when the client disconnects.
 * @throws {AppError} as {@link refreshRun}, when the time is up and the engine or the store fails.
 */
export async function waitForChange(
  services: RunServices,
  stored: Stored<Run>,
  waitMs: number,
  signal: AbortSignal,
): Promise<Stored<Run>> {
  const leftMs = Math.min(waitMs, runDeadline(stored.value).getTime() - Date.now());
  if (signal.aborted) return stored;
  if (isTerminal(stored.value) || isWaiting(stored.value) || leftMs <= 0) return refreshRun(services, stored);

  const stop = new AbortController();
  const end = () => stop.abort();
  const timer = setTimeout(end, leftMs);
  signal.addEventListener('abort', end);
  const subscription = services.liveRuns.feeds.subscribe(stored);
  try {
    while (!stop.signal.aborted && !subscription.isClosed) {
      if (subscription.stored.value.status !== stored.value.status) return subscription.stored;
      await subscription.changed(stop.signal);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    subscription.close();
  }
  // If the client disconnected, skip the refresh.
  return signal.aborted ? stored : refreshRun(services, subscription.stored);
}
