import type { Run } from '../model/run.ts';
import type { Stored } from '../model/stored.ts';
import { createSingleFlight, type SingleFlight } from '../singleFlight.ts';
import { createPendingWork, type PendingWork } from './pendingWork.ts';
import { createRoundCache, type RoundCache } from './roundCache.ts';
import { createRunFeeds, type RunFeeds } from './runFeeds.ts';
import type { RunServices } from './runServices.ts';

/** The worker's work on runs, shared by its requests. */
export interface LiveRuns {
  /** Refreshes in progress, by version of the run. */
  readonly refreshes: SingleFlight<Stored<Run>>;
  /** Saves in progress, by version of the run that they replace. */
  readonly saves: SingleFlight<Stored<Run>>;
  readonly pending: PendingWork;
  readonly feeds: RunFeeds;
  /** Rounds that wait for outputs. */
  readonly rounds: RoundCache;
}

/** @param services returns the services for work that is not tied to a single request. */
export function createLiveRuns(services: () => RunServices): LiveRuns {
  return {
    refreshes: createSingleFlight(),
    saves: createSingleFlight(),
    pending: createPendingWork(),
    feeds: createRunFeeds(services),
    rounds: createRoundCache(),
  };
}
