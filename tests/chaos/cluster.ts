import { freePort } from '../../local/azurite.ts';
import type { HostStatus } from '../../local/host/host.ts';
import { type Backends, startBackends } from '../support/backends.ts';
import { projectFolder, startProcess, type TestProcess } from '../support/process.ts';

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
export interface Cluster extends Backends {
  readonly members: readonly Member[];
  readonly projectIds: readonly string[];
  readonly token: string;
}

/** Settings of the workers, in seconds. Short, so that everything ends within the chaos run. */
const runTimeoutSeconds = 10;
const eventStreamSeconds = 4;

/**
 * Starts a cluster with the Azurite configured by `TEST_TABLES_…` and `TEST_QUEUES_…`.
 * @param size number of workers.
 */
export async function startCluster(size: number): Promise<Cluster> {
  const backends = await startBackends({ queueMs: 20, runMs: 200 });
  const settings = {
    ...backends.settings,
    RUN_TIMEOUT_SECONDS: String(runTimeoutSeconds),
    EVENT_STREAM_SECONDS: String(eventStreamSeconds),
  };
  const projects = await Promise.all([1, 2, 3].map(() => backends.addProject({ name: 'Chaos' })));
  const projectIds = projects.map(({ projectId }) => projectId);
  const names = Array.from({ length: size }, (_, index) => `worker ${index + 1}`);
  const members = await Promise.all(names.map((name) => startMember(name, settings)));
  return {
    ...backends,
    members,
    projectIds,
    token: await backends.issuer.sign({ projects: projectIds }),
    async close() {
      await Promise.all(members.map((member) => member.stop()));
      await backends.close();
    },
  };
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
      await host.close();
    },
  };
  return member;
}
