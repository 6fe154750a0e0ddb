import type { EngineStream } from '../engine/engine.ts';
import { type Run, roundOf } from '../model/run.ts';
import type { Stored } from '../model/stored.ts';
import type { Subscription } from './feedEntry.ts';
import { holdStream } from './holdStream.ts';
import { RunFeed } from './runFeed.ts';
import type { RunServices } from './runServices.ts';

/*
 * One feed per run and worker serves all clients that wait for the run or read its events. It reads the engine's stream
 * once, resumes it after a break, falls back to polling without one, records changes of the run, and keeps all events,
 * so that a client can join or resume at any point.
 */

export interface RunFeeds {
  /** Subscribes to the feed of a run; opens it if this worker has none. */
  subscribe(stored: Stored<Run>): Subscription;
  /** Reads the stream of a submission at least until the engine works on the response, see {@link holdStream}. */
  accept(stored: Stored<Run>, stream: EngineStream): void;
  /** Passes a newer version of a run, saved elsewhere in this worker, to its feed, if there is one. */
  recorded(stored: Stored<Run>): void;
}

const keyOf = ({ projectId, threadId, runId }: Run) => `${projectId}:${threadId}:${runId}`;

/** @param open returns the services of a feed. They must not be bound to a request, because a feed outlives it. */
export function createRunFeeds(open: () => RunServices): RunFeeds {
  const feeds = new Map<string, RunFeed>();

  const feedOf = (stored: Stored<Run>): RunFeed => {
    const key = keyOf(stored.value);
    const known = feeds.get(key);
    if (known) {
      known.adopt(stored);
      return known;
    }
    const feed = new RunFeed(open(), stored, () => {
      if (feeds.get(key) === feed) feeds.delete(key);
    });
    feeds.set(key, feed);
    return feed;
  };

  return {
    subscribe: (stored) => feedOf(stored).subscribe(),
    accept: (stored, stream) => {
      const round = roundOf(stored.value);
      const known = feeds.get(keyOf(stored.value));
      known?.adopt(stored);
      // A new feed would read the earlier rounds first, though nobody has asked for them.
      if (round === 0 || known?.hasReached(round)) feedOf(stored).accept(stream);
      else void holdStream(stream);
    },
    recorded: (stored) => feeds.get(keyOf(stored.value))?.adopt(stored),
  };
}
