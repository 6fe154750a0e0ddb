import { createEngine, type Engine } from './assistants/engine.ts';
import { type Authenticate, createAuthenticate } from './auth/token.ts';
import { type Config, parseConfig } from './config.ts';
import type { Deadline } from './deadline.ts';
import { cachedFind, createProjectStore, type ProjectStore } from './projects/projectStore.ts';
import { createRunStore, type RunStore } from './runs/runStore.ts';
import { openTable } from './storage/tables.ts';

/** Everything with an effect that a handler may use. */
export interface Services {
  readonly config: Config;
  readonly authenticate: Authenticate;
  readonly findProject: ProjectStore['find'];
  /** The store of threads and runs, for one request. */
  readonly openRuns: (deadline: Deadline) => RunStore;
  readonly engine: Engine;
}

let building: Promise<Services> | undefined;

/**
 * The worker's services, built from the environment on first use. A failed construction is not remembered.
 * @throws {ConfigError} when the settings are not usable.
 */
export function services(): Promise<Services> {
  building ??= buildServices(parseConfig(process.env)).catch((error) => {
    building = undefined;
    throw error;
  });
  return building;
}

async function buildServices(config: Config): Promise<Services> {
  const [projects, threads] = await Promise.all([
    openTable(config.tables, 'projects'),
    openTable(config.tables, 'threads'),
  ]);
  return {
    config,
    authenticate: createAuthenticate(config.jwt),
    findProject: cachedFind(createProjectStore(projects).find),
    openRuns: (deadline) => createRunStore(threads, deadline),
    engine: createEngine(config.engine),
  };
}
