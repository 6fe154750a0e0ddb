import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../assistants/engine.ts';
import type { Observation } from './state.ts';

/** Between two looks at a run whose stream cannot be taken up. */
const lookMs = 1_000;

/** For a look that is not answered. */
const lookTimeoutMs = 10_000;

/** How long a stream outlives its last watcher: a client that was told news usually waits for the next at once. */
const lingerMs = 5_000;

/**
 * Waits for news of a run in the engine.
 * @param isNews whether an observation is worth waking up for.
 * @param signal ends the wait when it aborts.
 * @returns the news, or undefined when time is up.
 */
export type Watch = (
  responseId: string,
  isNews: (seen: Observation) => boolean,
  waitMs: number,
  signal?: AbortSignal,
) => Promise<Observation | undefined>;

/** What is being observed on behalf of everyone in this worker who waits for the same run. */
interface Observed {
  latest: Observation | undefined;
  readonly watchers: Set<() => void>;
  readonly stop: AbortController;
  leaving?: NodeJS.Timeout;
}

/** A {@link Watch} whose watchers of the same run share one stream of the engine. */
export function createWatch(engine: Engine): Watch {
  const all = new Map<string, Observed>();

  const open = (responseId: string): Observed => {
    const observed: Observed = { latest: undefined, watchers: new Set(), stop: new AbortController() };
    all.set(responseId, observed);
    const tell = (seen: Observation) => {
      observed.latest = seen;
      for (const wake of observed.watchers) wake();
    };
    void observeRun(engine, responseId, tell, observed.stop.signal).finally(() => {
      // Those who still wait have the last news; who comes later starts anew.
      if (all.get(responseId) === observed) all.delete(responseId);
    });
    return observed;
  };

  const leave = (responseId: string, observed: Observed) => {
    if (observed.watchers.size > 0) return;
    observed.leaving = setTimeout(() => {
      observed.stop.abort();
      if (all.get(responseId) === observed) all.delete(responseId);
    }, lingerMs).unref();
  };

  return (responseId, isNews, waitMs, signal) =>
    new Promise((resolve) => {
      const observed = all.get(responseId) ?? open(responseId);
      clearTimeout(observed.leaving);
      const end = (seen: Observation | undefined) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        observed.watchers.delete(wake);
        leave(responseId, observed);
        resolve(seen);
      };
      const wake = () => {
        if (observed.latest && isNews(observed.latest)) end(observed.latest);
      };
      const giveUp = () => end(undefined);
      const timer = setTimeout(giveUp, waitMs);
      signal?.addEventListener('abort', giveUp);
      observed.watchers.add(wake);
      if (signal?.aborted) giveUp();
      else wake();
    });
}

/** Tells every observation of a run until its end, from the engine's stream or, without one, from looks. Never throws. */
async function observeRun(
  engine: Engine,
  responseId: string,
  tell: (seen: Observation) => void,
  signal: AbortSignal,
): Promise<void> {
  let ended = false;
  const pass = (seen: Observation) => {
    ended = seen.status !== 'queued' && seen.status !== 'in_progress';
    tell(seen);
  };
  try {
    for await (const { seen } of engine.follow(responseId, 0, signal)) if (seen) pass(seen);
  } catch {
    // The stream is a convenience; what it would have told can be looked up.
  }
  while (!ended && !signal.aborted) {
    try {
      await sleep(lookMs, undefined, { signal });
      pass(await engine.find(responseId, lookTimeoutMs));
    } catch {
      // The engine may be back for the next look; whoever waits is answered when their time is up.
    }
  }
}
