import { randomUUID } from 'node:crypto';
import type { Project } from '../../shared/model/project.ts';
import { openFollowUpQueue } from '../../shared/storage/followUpQueue.ts';
import { createProjectStore } from '../../shared/storage/projectStore.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { testAssistants } from '../support/backends.ts';
import { type EngineRun, startTestEngine, type TestEngine } from '../support/engine.ts';
import type { TestIssuer } from '../support/issuer.ts';
import { type StoreProxy, startStoreProxy } from '../support/storeProxy.ts';
import { type Client, createClient } from './client.ts';
import { pool } from './load.ts';
import { type Server, type ServerOptions, startServer } from './servers.ts';

/** Environment shared by all parts of the benchmark. */
export interface Ground {
  readonly issuer: TestIssuer;
  /** Settings for tables and queues. */
  readonly connectionString: string;
  readonly tablesPort: number;
  /** Temporary folder for logs and built apps. */
  readonly folder: string;
  /** Folders of the apps: the built service, and the function that returns a constant. */
  readonly apps: { readonly service: string; readonly streamed: string; readonly classic: string };
  /** Node.js options of the service's process. */
  readonly nodeOptions: readonly string[];
  readonly quick: boolean;
}

/** A service and an engine, in separate processes, with a new project. */
export interface World {
  readonly project: Project;
  readonly settings: Readonly<Record<string, string>>;
  readonly engine: TestEngine;
  /** The proxy that counts round trips; only with `counted`. */
  readonly store: StoreProxy | undefined;
  readonly app: Server;
  readonly client: Client;
  /** Creates threads; returns their paths. */
  openThreads(count: number): Promise<string[]>;
  /** Starts a run on an idle thread; returns the run's path. */
  startRun(threadPath: string): Promise<string>;
  /** Warms up with complete runs. @returns the duration of a create, in milliseconds. */
  warmUp(count: number): Promise<number>;
  /** Returns when the engine ended each run, by run id. */
  endings(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

/** The message of every run. */
export const message = 'Can you help me understand the authentication flow in this project?';

/** Disables follow-ups, which would affect the counts. */
export const withoutFollowUps = { 'AzureWebJobs.followUp.Disabled': 'true' };

/**
 * Starts a world.
 * @param counted whether to count round trips with a proxy in front of the store, which adds latency.
 * @param options `env` is added to the service's settings.
 */
export async function startWorld(
  ground: Ground,
  { counted = false, ...options }: { counted?: boolean } & Partial<ServerOptions> = {},
): Promise<World> {
  const { connectionString, tablesPort } = ground;
  const engine = await startTestEngine();
  const store = counted ? await startStoreProxy(tablesPort) : undefined;
  const project = await addProject(connectionString);
  const settings = {
    JWT_ISSUER: ground.issuer.url,
    JWT_AUDIENCE: ground.issuer.audience,
    OPENAI_BASE_URL: engine.url,
    OPENAI_API_KEY: 'bench-engine-key',
    TABLES_CONNECTION_STRING: store
      ? connectionString.replace(`:${tablesPort}/`, `:${store.port}/`)
      : connectionString,
    QUEUES_CONNECTION_STRING: connectionString,
    AzureWebJobsStorage: connectionString,
    ASSISTANTS: JSON.stringify(testAssistants),
  };
  const app = await startServer({
    ...options,
    ...host(ground.apps.service),
    nodeOptions: ground.nodeOptions,
    env: { ...settings, ...options.env },
    folder: ground.folder,
  });
  const client = createClient(app.url, await ground.issuer.sign({ projects: [project.projectId] }));
  const threadsPath = `/api/projects/${project.projectId}/threads`;
  const openThreads: World['openThreads'] = (count) =>
    pool(count, 16, async () => {
      const { text } = await client.call('POST', threadsPath, 201);
      return `${threadsPath}/${JSON.parse(text).threadId}`;
    });
  const startRun: World['startRun'] = async (threadPath) =>
    (await client.call('POST', `${threadPath}/runs`, 201, { message })).location;
  return {
    project,
    settings,
    engine,
    store,
    app,
    client,
    openThreads,
    startRun,
    async warmUp(count) {
      const threads = await openThreads(count);
      const startedAt = performance.now();
      const runs = await pool(count, 16, (index) => startRun(threads[index] ?? ''));
      const createMs = (performance.now() - startedAt) / count;
      await pool(count, 16, (index) => client.call('GET', runs[index] ?? '', 200));
      return createMs;
    },
    async endings() {
      const runs = (await engine.runs()) as readonly (EngineRun & { endedAtMs?: number })[];
      return new Map(
        runs.map(({ metadata, endedAtMs = Number.NaN }) => [metadata['runId'] ?? '', endedAtMs]),
      );
    },
    async close() {
      client.close();
      await app.stop();
      await Promise.all([engine.close(), store?.close()]);
    },
  };
}

/** Starts the local host for the app in a folder. */
export const host = (folder: string): Pick<ServerOptions, 'script' | 'args'> => ({
  script: '../../local/host/main.ts',
  args: ['--folder', folder],
});

/** Returns the run id at the end of a path. */
export const runIdOf = (runPath: string): string => runPath.slice(runPath.lastIndexOf('/') + 1);

async function addProject(connectionString: string): Promise<Project> {
  const tables = { connectionString };
  const projects = await openTable(tables, 'projects');
  await Promise.all([projects.createTable(), (await openTable(tables, 'threads')).createTable()]);
  const queue = await openFollowUpQueue({ connectionString });
  await queue.createIfNotExists();
  // Follow-ups of an earlier world would be handled here with another engine.
  await queue.clearMessages();
  const project: Project = {
    projectId: randomUUID(),
    name: 'Benchmark',
    assistantId: 'asst_test',
    members: [],
    groups: [],
  };
  await createProjectStore(async () => projects).put(project);
  return project;
}
