import type { Config } from '../config.ts';
import type { Deadline } from '../deadline.ts';
import type { Engine } from '../engine/engine.ts';
import type { LogFacts } from '../failures.ts';
import type { FollowUpQueue } from '../storage/followUpQueue.ts';
import type { RunStore } from '../storage/runStore.ts';
import type { ThreadStore } from '../storage/threadStore.ts';
import type { LiveRuns } from './liveRuns.ts';

/** The stores of threads and runs. */
export interface Stores {
  readonly threads: ThreadStore;
  readonly runs: RunStore;
}

/** What work on runs and threads is done with. */
export interface RunServices extends Stores {
  readonly config: Config;
  readonly engine: Engine;
  readonly liveRuns: LiveRuns;
  readonly followUps: FollowUpQueue;
  /** The stores for work that several requests share; each round trip has its own limit only. */
  readonly workerStores: Stores;
  readonly deadline: Deadline;
  /** Writes a line about what happened. */
  readonly log: (facts: LogFacts) => void;
}
