import { scheduler } from 'node:timers/promises';
import type { HostStatus } from '../../local/host/host.ts';
import type { Backends } from './backends.ts';
import { keepRunning, takeRunning } from './kept.ts';
import { createDeviationLog } from './openApi.ts';
import { isMeasured, projectFolder, startProcess, type TestProcess } from './process.ts';

/** A JSON response. */
export interface TestResponse {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts on whatever came.
  readonly body: any;
  readonly text: string;
}

export interface Call {
  readonly method?: string;
  /** JSON unless it is a string or a form. */
  readonly body?: unknown;
  /** A token; null sends none; by default one with access to the project of the path. */
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
}

/** A running service: the built app under the local host, with engine, issuer and store. */
export interface TestService extends Omit<Backends, 'clear'> {
  readonly url: string;
  /** Sends a request to a path below `/api`. */
  call(path: string, call?: Call): Promise<TestResponse>;
  /** Creates a thread; returns its path below `/api`. */
  openThread(projectId: string): Promise<string>;
  /** Reads a run until it has ended. */
  finish(runPath: string): Promise<TestResponse>;
  /** Reads the status of the host. */
  hostStatus(): Promise<HostStatus>;
  /** Waits until no invocation is in progress. */
  idle(): Promise<void>;
  /** Output of the app so far. */
  log(): string;
  /** Restarts only the app, after it was stopped or killed. */
  restart(settings?: Record<string, string>): Promise<void>;
  /** Kills only the app, like a crash. */
  kill(): Promise<void>;
  /** Stops only the app; resolves with its exit code. */
  stop(): Promise<number | null>;
  /** Ends everything. @throws {Error} listing how responses deviated from openapi.json. */
  close(): Promise<void>;
}

/** Disables follow-ups, which would disturb other tests; loading the queue client also takes time. */
const followUpsOff = { 'AzureWebJobs.followUp.Disabled': 'true' };

/** Enables follow-ups. */
export const followUpsOn = { 'AzureWebJobs.followUp.Disabled': 'false' };

/**
 * Starts a service.
 * @param overrides settings of the app that differ from the default test configuration.
 * @param folder folder of the app.
 * @param hostArguments options of the local host.
 */
export async function startService(
  overrides: Readonly<Record<string, string>> = {},
  folder = projectFolder,
  hostArguments: readonly string[] = [],
): Promise<TestService> {
  const running = await takeRunning();
  const { backends } = running;
  const { engine, issuer, store, queue } = backends;
  const settings = { ...backends.settings, ...followUpsOff, ...overrides };

  const startHost = (env: Record<string, string>) =>
    startProcess('local/host/main.ts', ['--folder', folder, ...hostArguments], env);
  const isDefault =
    folder === projectFolder && hostArguments.length === 0 && Object.keys(overrides).length === 0;
  const first = (isDefault && running.app) || (await startHost(settings));
  let host: TestProcess = first;
  /** Length of what it logged for former files. */
  const alreadyLogged = first === running.app ? first.output().length : 0;
  const earlier: string[] = [];
  const tokens = new Map<string | undefined, Promise<string>>();
  const tokenFor = (projectId: string | undefined) => {
    const token = tokens.get(projectId) ?? issuer.sign({ projects: [projectId] });
    tokens.set(projectId, token);
    return token;
  };
  const deviationLog = createDeviationLog();
  const service: TestService = {
    get url() {
      return host.url;
    },
    engine,
    issuer,
    store,
    queue,
    settings,
    addProject: backends.addProject,
    async call(path, { method = 'GET', body, token, headers = {} } = {}) {
      const projectId = /^projects\/([^/?]+)/.exec(path)?.[1];
      const bearer = token === undefined ? await tokenFor(projectId) : token;
      const isForm = body instanceof FormData;
      const received = await fetch(`${host.url}/api/${path}`, {
        method,
        // The API's time limit for a request.
        signal: AbortSignal.timeout(30_000),
        headers: {
          ...(bearer !== null && { Authorization: `Bearer ${bearer}` }),
          ...(body !== undefined && !isForm && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && {
          body: typeof body === 'string' || isForm ? body : JSON.stringify(body),
        }),
      });
      const text = await received.text();
      const json = received.headers.get('Content-Type')?.includes('json');
      const { status } = received;
      const response = { status, headers: received.headers, text, body: json ? JSON.parse(text) : undefined };
      // Every response, except the host's 404 for an unknown route. Reported by `close`, so that one deviation does not
      // fail every test and hide what else is wrong.
      if (status !== 404 || text !== '') deviationLog.add(method, path, response);
      return response;
    },
    async openThread(projectId) {
      const { status, body } = await service.call(`projects/${projectId}/threads`, { method: 'POST' });
      if (status !== 201) throw new Error(`opening a thread answered ${status}: ${service.log()}`);
      return `projects/${projectId}/threads/${body.threadId}`;
    },
    async finish(runPath) {
      const until = performance.now() + 25_000;
      while (performance.now() < until) {
        const response = await service.call(runPath);
        if (response.status !== 200 || !['queued', 'in_progress'].includes(response.body.status))
          return response;
        await scheduler.wait(25);
      }
      throw new Error('the run did not finish');
    },
    hostStatus: async () => (await fetch(`${host.url}/admin/host/status`)).json() as Promise<HostStatus>,
    async idle() {
      const until = performance.now() + 25_000;
      while ((await service.hostStatus()).openInvocations > 0) {
        if (performance.now() > until) throw new Error('an invocation stays open');
        await scheduler.wait(25);
      }
    },
    log: () => [...earlier, host.output()].join('\n').slice(alreadyLogged),
    async restart(changed = {}) {
      earlier.push(host.output());
      host = await startHost({ ...settings, ...changed });
    },
    kill: () => host.kill(),
    stop: () => host.stop(),
    async close() {
      const isKept = isDefault && host === first && isRunning(host) && (await isSettled(service));
      // What a test has left hanging does not end by itself.
      if (!isKept) await host.close(isMeasured ? 30_000 : 5_000);
      await keepRunning({ backends, app: isDefault ? (isKept ? host : undefined) : running.app });
      deviationLog.check();
    },
  };
  return service;
}

const isRunning = ({ child }: TestProcess): boolean => child.exitCode === null && child.signalCode === null;

/** Returns whether no invocation is in progress, soon. */
async function isSettled({ hostStatus }: TestService): Promise<boolean> {
  for (const until = performance.now() + 2_000; performance.now() < until; await scheduler.wait(25)) {
    if ((await hostStatus()).openInvocations === 0) return true;
  }
  return false;
}
