import { randomUUID } from 'node:crypto';
import { scheduler } from 'node:timers/promises';
import type { HostStatus } from '../../local/host/host.ts';
import type { Project } from '../../shared/model/project.ts';
import { createProjectStore } from '../../shared/storage/projectStore.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { startTestEngine, type TestEngine } from './engine.ts';
import { startTestIssuer, type TestIssuer } from './issuer.ts';
import { createDeviationLog } from './openApi.ts';
import { projectFolder, startProcess, type TestProcess } from './process.ts';
import { type QueueProxy, startQueueProxy } from './queueProxy.ts';
import { type StoreProxy, startStoreProxy } from './storeProxy.ts';

/** A JSON response. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts on whatever came.
  readonly body: any;
  readonly text: string;
}

export interface Call {
  readonly method?: string;
  /** JSON unless it is a string. */
  readonly body?: unknown;
  /** A token; null sends none; by default one with access to the project of the path. */
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
}

/** A running service: the built app under the local host, with engine, issuer and store. */
export interface TestService {
  readonly url: string;
  readonly engine: TestEngine;
  readonly issuer: TestIssuer;
  readonly store: StoreProxy;
  /** Holds follow-ups back until a test releases them. */
  readonly queue: QueueProxy;
  /** Settings of the app. */
  readonly settings: Readonly<Record<string, string>>;
  /** Adds a project to the store, with a new id unless given. */
  addProject(project?: Partial<Project>): Promise<Project>;
  /** Sends a request to a path below `/api`. */
  call(path: string, call?: Call): Promise<Answer>;
  /** Creates a thread; returns its path below `/api`. */
  openThread(projectId: string): Promise<string>;
  /** Reads a run until it has ended. */
  finish(runPath: string): Promise<Answer>;
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

const secondAssistant = {
  id: 'asst_second',
  name: 'Second',
  model: 'gpt-5-nano',
  instructions: 'Second assistant instructions.',
};

export const testAssistants = [
  {
    id: 'asst_test',
    name: 'Test assistant',
    model: 'gpt-5-mini',
    instructions: 'Assistant instructions.',
    tools: [{ type: 'file_search', vectorStoreIds: ['vs_demo'] }],
  },
  secondAssistant,
];

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
  const connectionString = process.env['TEST_TABLES_CONNECTION_STRING'] ?? '';
  const [engine, issuer, store, queue] = await Promise.all([
    startTestEngine(),
    startTestIssuer(),
    startStoreProxy(Number(process.env['TEST_TABLES_PORT'])),
    startQueueProxy(),
  ]);
  const settings = {
    JWT_ISSUER: issuer.url,
    JWT_AUDIENCE: issuer.audience,
    OPENAI_BASE_URL: engine.url,
    OPENAI_API_KEY: 'test-engine-key',
    TABLES_CONNECTION_STRING: connectionString.replace(
      /(?<=TableEndpoint=http:\/\/127\.0\.0\.1:)\d+/,
      String(store.port),
    ),
    QUEUES_CONNECTION_STRING: queue.connectionString,
    AzureWebJobsStorage: queue.connectionString,
    ...followUpsOff,
    ASSISTANTS: JSON.stringify(testAssistants),
    ...overrides,
  };
  const tables = { connectionString };
  const projectTable = await openTable(tables, 'projects');
  await Promise.all([projectTable.createTable(), (await openTable(tables, 'threads')).createTable()]);
  const projects = createProjectStore(async () => projectTable);

  const startHost = (env: Record<string, string>) =>
    startProcess('local/host/main.ts', ['--folder', folder, ...hostArguments], env);
  let host: TestProcess = await startHost(settings);
  const earlier: string[] = [];
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
    async addProject(project = {}) {
      const added = {
        projectId: randomUUID(),
        name: 'A test project',
        assistantId: 'asst_test',
        members: [],
        groups: [],
        ...project,
      };
      await projects.put(added);
      return added;
    },
    async call(path, { method = 'GET', body, token, headers = {} } = {}) {
      const projectId = /^projects\/([^/?]+)/.exec(path)?.[1];
      const bearer = token === undefined ? await issuer.sign({ projects: [projectId] }) : token;
      const response = await fetch(`${host.url}/api/${path}`, {
        method,
        // The API's time limit for a request.
        signal: AbortSignal.timeout(30_000),
        headers: {
          ...(bearer !== null && { Authorization: `Bearer ${bearer}` }),
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const json = response.headers.get('Content-Type')?.includes('json');
      const { status } = response;
      const answer = { status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined };
      // Every response, except the host's 404 for an unknown route. Reported by `close`, so that one deviation does not
      // fail every test and hide what else is wrong.
      if (status !== 404 || text !== '') deviationLog.add(method, path, answer);
      return answer;
    },
    async openThread(projectId) {
      const { status, body } = await service.call(`projects/${projectId}/threads`, { method: 'POST' });
      if (status !== 201) throw new Error(`opening a thread answered ${status}: ${service.log()}`);
      return `projects/${projectId}/threads/${body.threadId}`;
    },
    async finish(runPath) {
      const until = performance.now() + 25_000;
      while (performance.now() < until) {
        const answer = await service.call(runPath);
        if (answer.status !== 200 || !['queued', 'in_progress'].includes(answer.body.status)) return answer;
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
    log: () => [...earlier, host.output()].join('\n'),
    async restart(changed = {}) {
      earlier.push(host.output());
      host = await startHost({ ...settings, ...changed });
    },
    kill: () => host.kill(),
    stop: () => host.stop(),
    async close() {
      await Promise.all([host.stop(), engine.close(), issuer.close(), store.close()]);
      await queue.close();
      deviationLog.check();
    },
  };
  return service;
}
