import { type Authenticate, createAuthenticate } from './auth/token.ts';
import { type Config, parseConfig } from './config.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { createEngineClient } from './engine/client.ts';
import { createEngineDocuments, type EngineDocuments } from './engine/documents.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { createEngineFiles, type EngineFiles } from './engine/files.ts';
import { createEngineVectorStores, type EngineVectorStores } from './engine/vectorStores.ts';
import type { DocumentStores } from './files/documents.ts';
import { createFileSecrets, type FileSecrets } from './files/fileSecrets.ts';
import { cacheProjects } from './projects/cachedProjects.ts';
import { createLiveRuns, type LiveRuns } from './runs/liveRuns.ts';
import type { Stores } from './runs/runServices.ts';
import { createAssistantStore } from './storage/assistantStore.ts';
import { createFileStore } from './storage/fileStore.ts';
import { createFollowUpQueue, type FollowUpQueue } from './storage/followUpQueue.ts';
import { createMessageStore } from './storage/messageStore.ts';
import { createProjectStore, type ProjectStore } from './storage/projectStore.ts';
import { createReservationStore } from './storage/reservationStore.ts';
import { createRunStore } from './storage/runStore.ts';
import { createSecretStore } from './storage/secretStore.ts';
import { lazyTable } from './storage/tables.ts';
import { createThreadStore } from './storage/threadStore.ts';
import { createVectorStoreRegistry } from './storage/vectorStoreRegistry.ts';

/** The services that handlers use. */
export interface Services {
  readonly config: Config;
  readonly authenticate: Authenticate;
  readonly findProject: ProjectStore['find'];
  readonly documentStores: DocumentStores;
  /** Opens the stores of threads, runs and files for one request. */
  readonly openStores: (deadline: Deadline) => Stores;
  /** The stores for work shared by several requests: round trips have their own timeout only. */
  readonly workerStores: Stores;
  readonly engine: Engine;
  readonly engineFiles: EngineFiles;
  readonly engineDocuments: EngineDocuments;
  readonly engineVectorStores: EngineVectorStores;
  readonly fileSecrets: FileSecrets;
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
  const client = createEngineClient(config.engine);
  const engine = createEngine(client);
  const engineVectorStores = createEngineVectorStores(client);
  const threads = lazyTable(config.tables, 'threads');
  const projectStore = createProjectStore(lazyTable(config.tables, 'projects'));
  const projects = cacheProjects(projectStore.find);
  const openStores = (deadline?: Deadline) => ({
    threads: createThreadStore(threads, deadline),
    runs: createRunStore(threads, deadline),
    reservations: createReservationStore(threads, deadline),
    files: createFileStore(threads, deadline),
    messages: createMessageStore(threads, deadline),
    assistants: createAssistantStore(threads, deadline),
    secrets: createSecretStore(threads, deadline),
    vectorStores: createVectorStoreRegistry(threads, deadline),
  });
  const workerStores = openStores();
  const followUps = createFollowUpQueue(config.queues);
  const liveRuns: LiveRuns = createLiveRuns(() => ({
    ...{ config, engine, engineVectorStores, liveRuns, followUps, workerStores, ...workerStores },
    deadline: startDeadline(),
    // Not a request's log: the work may outlast the request that started it.
    log: (facts) => console.log(JSON.stringify(facts)),
  }));
  return {
    config,
    authenticate: createAuthenticate(config.jwt),
    findProject: projects.find,
    documentStores: {
      find: projectStore.findDocumentStore,
      async add(projectId, vectorStoreId) {
        const added = await projectStore.addDocumentStore(projectId, vectorStoreId);
        projects.forget(projectId);
        return added;
      },
    },
    openStores,
    workerStores,
    engine,
    engineFiles: createEngineFiles(client),
    engineDocuments: createEngineDocuments(client),
    engineVectorStores,
    fileSecrets: createFileSecrets(projectStore),
    followUps,
    liveRuns,
  };
}
