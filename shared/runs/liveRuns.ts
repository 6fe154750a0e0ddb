import type { Run } from '../model/run.ts';
import type { Stored } from '../model/stored.ts';
import { createSingleFlight, type SingleFlight } from '../singleFlight.ts';
import { createPendingWork, type PendingWork } from './pendingWork.ts';
import { createRunFeeds, type RunFeeds } from './runFeed.ts';
import type { RunServices } from './runServices.ts';

/** What this worker is doing about runs, shared by its requests. */
export interface LiveRuns {
  /** Looks at the engine, by version of the run. */
  readonly refreshes: SingleFlight<Stored<Run>>;
  /** Saves, by version of the run that they replace. */
  readonly saves: SingleFlight<Stored<Run>>;
  readonly pending: PendingWork;
  readonly feeds: RunFeeds;
}

/** @param services gives what work that no single request owns is done with. */
export function createLiveRuns(services: () => RunServices): LiveRuns {
  return {
    refreshes: createSingleFlight(),
    saves: createSingleFlight(),
    pending: createPendingWork(),
    feeds: createRunFeeds(services),
  };
}
