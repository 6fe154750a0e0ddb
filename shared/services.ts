import { type Authenticate, createAuthenticate } from './auth/token.ts';
import { type Config, parseConfig } from './config.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { cachedFind } from './projects/cachedFind.ts';
import { createLiveRuns, type LiveRuns } from './runs/liveRuns.ts';
import type { Stores } from './runs/runServices.ts';
import { createAssistantStore } from './storage/assistantStore.ts';
import { createFollowUpQueue, type FollowUpQueue } from './storage/followUpQueue.ts';
import { createMessageStore } from './storage/messageStore.ts';
import { createProjectStore, type ProjectStore } from './storage/projectStore.ts';
import { createReservationStore } from './storage/reservationStore.ts';
import { createRunStore } from './storage/runStore.ts';
import { createSecretStore } from './storage/secretStore.ts';
import { lazyTable } from './storage/tables.ts';
import { createThreadStore } from './storage/threadStore.ts';

/** The services that handlers use. */
export interface Services {
  readonly config: Config;
  readonly authenticate: Authenticate;
  readonly findProject: ProjectStore['find'];
  /** Opens the stores of threads and runs for one request. */
  readonly openStores: (deadline: Deadline) => Stores;
  /** The stores for work shared by several requests: round trips have their own timeout only. */
  readonly workerStores: Stores;
  readonly engine: Engine;
  readonly liveRuns: LiveRuns;
  readonly followUps: FollowUpQueue;
}

let built: Services | undefined;

/**
 * Returns the worker's services, created from the environment on first use.
 * @throws {ConfigError} when the settings are invalid.
 */
export function services(): Services {
  built ??= buildServices(parseConfig(process.env));
  return built;
}

function buildServices(config: Config): Services {
  const engine = createEngine(config.engine);
  const threads = lazyTable(config.tables, 'threads');
  const openStores = (deadline?: Deadline) => ({
    threads: createThreadStore(threads, deadline),
    runs: createRunStore(threads, deadline),
    reservations: createReservationStore(threads, deadline),
    messages: createMessageStore(threads, deadline),
    assistants: createAssistantStore(threads, deadline),
    secrets: createSecretStore(threads, deadline),
  });
  const workerStores = openStores();
  const followUps = createFollowUpQueue(config.queues);
  const liveRuns: LiveRuns = createLiveRuns(() => ({
    ...{ config, engine, liveRuns, followUps, workerStores, ...workerStores },
    deadline: startDeadline(),
    // Not a request's log: the work may outlast the request that started it.
    log: (facts) => console.log(JSON.stringify(facts)),
  }));
  return {
    config,
    authenticate: createAuthenticate(config.jwt),
    findProject: cachedFind(createProjectStore(lazyTable(config.tables, 'projects')).find),
    openStores,
    workerStores,
    engine,
    followUps,
    liveRuns,
  };
}
