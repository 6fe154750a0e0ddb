import { randomUUID } from 'node:crypto';
import { freePort } from '../../local/azurite.ts';
import type { HostStatus } from '../../local/host/host.ts';
import { createProjectStore } from '../../shared/storage/projectStore.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { startTestEngine, type TestEngine } from '../support/engine.ts';
import { startTestIssuer } from '../support/issuer.ts';
import { projectFolder, startProcess, type TestProcess } from '../support/process.ts';
import { type QueueProxy, startQueueProxy } from '../support/queueProxy.ts';
import { testAssistants } from '../support/service.ts';
import { type StoreProxy, startStoreProxy } from '../support/storeProxy.ts';

/** A host with its worker, which keeps its address across restarts. */
export interface Member {
  readonly name: string;
  readonly url: string;
  /** Times of kills, in Unix milliseconds. */
  readonly kills: number[];
  /** Time of the last start, in Unix milliseconds; infinity while it is down. */
  readonly upSinceMs: number;
  /** Output of its processes. */
  log(): string;
  status(): Promise<HostStatus>;
  /** Kills it like a crash, and restarts it after a pause. */
  crash(pauseMs: number): Promise<void>;
}

/** Several workers that share a store, a queue, an engine and an issuer. */
export interface Cluster {
  readonly members: readonly Member[];
  readonly projectIds: readonly string[];
  readonly token: string;
  readonly engine: TestEngine;
  readonly store: StoreProxy;
  readonly queue: QueueProxy;
  close(): Promise<void>;
}

/** Settings of the workers, in seconds. Short, so that everything ends within the chaos run. */
const runTimeoutSeconds = 10;
const eventStreamSeconds = 4;

/**
 * Starts a cluster with the Azurite configured by `TEST_TABLES_…` and `TEST_QUEUES_…`.
 * @param size number of workers.
 */
export async function startCluster(size: number): Promise<Cluster> {
  const connectionString = process.env['TEST_TABLES_CONNECTION_STRING'] ?? '';
  const [engine, issuer, store, queue] = await Promise.all([
    startTestEngine({ queueMs: 20, runMs: 200 }),
    startTestIssuer(),
    startStoreProxy(Number(process.env['TEST_TABLES_PORT'])),
    startQueueProxy(),
  ]);
  const settings = {
    JWT_ISSUER: issuer.url,
    JWT_AUDIENCE: issuer.audience,
    OPENAI_BASE_URL: engine.url,
    OPENAI_API_KEY: 'chaos-engine-key',
    TABLES_CONNECTION_STRING: connectionString.replace(
      /(?<=TableEndpoint=http:\/\/127\.0\.0\.1:)\d+/,
      String(store.port),
    ),
    QUEUES_CONNECTION_STRING: queue.connectionString,
    AzureWebJobsStorage: queue.connectionString,
    ASSISTANTS: JSON.stringify(testAssistants),
    RUN_TIMEOUT_SECONDS: String(runTimeoutSeconds),
    EVENT_STREAM_SECONDS: String(eventStreamSeconds),
  };
  const projectIds = await addProjects(connectionString, 3);
  const names = Array.from({ length: size }, (_, index) => `worker ${index + 1}`);
  const members = await Promise.all(names.map((name) => startMember(name, settings)));
  return {
    members,
    projectIds,
    token: await issuer.sign({ projects: projectIds }),
    engine,
    store,
    queue,
    async close() {
      await Promise.all(members.map((member) => member.stop()));
      await Promise.all([engine.close(), issuer.close(), store.close()]);
      await queue.close();
    },
  };
}

async function addProjects(connectionString: string, count: number): Promise<string[]> {
  const tables = { connectionString };
  const table = await openTable(tables, 'projects');
  await Promise.all([table.createTable(), (await openTable(tables, 'threads')).createTable()]);
  const projects = createProjectStore(async () => table);
  const ids = Array.from({ length: count }, () => randomUUID());
  await Promise.all(
    ids.map((projectId) =>
      projects.put({ projectId, name: 'Chaos', assistantId: 'asst_test', members: [], groups: [] }),
    ),
  );
  return ids;
}

async function startMember(name: string, settings: Readonly<Record<string, string>>) {
  const port = await freePort();
  const start = () =>
    startProcess('local/host/main.ts', ['--folder', projectFolder, '--port', String(port)], settings);
  let host: TestProcess = await start();
  let starting: Promise<unknown> = Promise.resolve();
  const earlier: string[] = [];
  const kills: number[] = [];
  let upSinceMs = Date.now();
  const member: Member & { stop(): Promise<void> } = {
    name,
    url: host.url,
    kills,
    get upSinceMs() {
      return upSinceMs;
    },
    log: () => [...earlier, host.output()].join('\n'),
    status: async () => (await fetch(`${host.url}/admin/host/status`)).json() as Promise<HostStatus>,
    async crash(pauseMs) {
      kills.push(Date.now());
      upSinceMs = Number.POSITIVE_INFINITY;
      await host.kill();
      earlier.push(host.output());
      starting = new Promise((resolve) => setTimeout(resolve, pauseMs)).then(async () => {
        host = await start();
        upSinceMs = Date.now();
      });
      await starting;
    },
    async stop() {
      await starting.catch(() => undefined);
      await host.kill();
    },
  };
  return member;
}
