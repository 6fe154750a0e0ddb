import { createEngine, type Engine } from './assistants/engine.ts';
import { type Authenticate, createAuthenticate } from './auth/token.ts';
import { type Config, parseConfig } from './config.ts';
import type { Deadline } from './deadline.ts';
import { cachedFind, createProjectStore, type ProjectStore } from './projects/projectStore.ts';
import { createRunStore, type RunStore } from './runs/runStore.ts';
import { createWatch, type Watch } from './runs/watch.ts';
import { createFollowUpQueue, type FollowUpQueue } from './storage/followUpQueue.ts';
import { lazyTable } from './storage/tables.ts';
import { createThreadStore, type ThreadStore } from './threads/threadStore.ts';

/** Everything with an effect that a handler may use. */
export interface Services {
  readonly config: Config;
  readonly authenticate: Authenticate;
  readonly findProject: ProjectStore['find'];
  /** The stores of threads and runs, for one request. */
  readonly openStores: (deadline: Deadline) => Stores;
  readonly engine: Engine;
  readonly watch: Watch;
  readonly followUps: FollowUpQueue;
}

export interface Stores {
  readonly threads: ThreadStore;
  readonly runs: RunStore;
}

let built: Services | undefined;

/**
 * The worker's services, built from the environment on first use. A failed construction is not remembered.
 * @throws {ConfigError} when the settings are not usable.
 */
export function services(): Services {
  built ??= buildServices(parseConfig(process.env));
  return built;
}

function buildServices(config: Config): Services {
  const engine = createEngine(config.engine);
  const threads = lazyTable(config.tables, 'threads');
  return {
    config,
    authenticate: createAuthenticate(config.jwt),
    findProject: cachedFind(createProjectStore(lazyTable(config.tables, 'projects')).find),
    openStores: (deadline) => ({
      threads: createThreadStore(threads, deadline),
      runs: createRunStore(threads, deadline),
    }),
    engine,
    watch: createWatch(engine),
    followUps: createFollowUpQueue(config.queues),
  };
}
