import { randomUUID } from 'node:crypto';
import type { Assistant } from '../../shared/model/assistant.ts';
import type { Project } from '../../shared/model/project.ts';
import { createProjectStore } from '../../shared/storage/projectStore.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { startTestEngine, type TestEngine } from './engine.ts';
import { startTestIssuer, type TestIssuer } from './issuer.ts';
import { type QueueProxy, startQueueProxy } from './queueProxy.ts';
import { type StoreProxy, startStoreProxy } from './storeProxy.ts';

/** What an app depends on: engine and issuer of its own, and proxies to the store of all tests. */
export interface Backends {
  readonly engine: TestEngine;
  readonly issuer: TestIssuer;
  readonly store: StoreProxy;
  /** Holds follow-ups back until a test releases them. */
  readonly queue: QueueProxy;
  /** Settings of an app that uses them. */
  readonly settings: Readonly<Record<string, string>>;
  /** Adds a project to the store, with a new id unless given. */
  addProject(project?: Partial<Project>): Promise<Project>;
  /**
   * Clears everything but projects and threads, which tests do not share anyway.
   * @returns whether they are then like new.
   */
  clear(): Promise<boolean>;
  close(): Promise<void>;
}

const secondAssistant: Assistant = {
  id: 'asst_second',
  name: 'Second',
  model: 'gpt-5-nano',
  instructions: 'Second assistant instructions.',
};

export const testAssistants: readonly Assistant[] = [
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
 * Starts backends with the Azurite configured by `TEST_TABLES_…` and `TEST_QUEUES_…`.
 * @param timing of the engine.
 */
export async function startBackends(timing?: { queueMs: number; runMs: number }): Promise<Backends> {
  const connectionString = process.env['TEST_TABLES_CONNECTION_STRING'] ?? '';
  const [engine, issuer, store, queue] = await Promise.all([
    startTestEngine(timing),
    startTestIssuer(),
    startStoreProxy(Number(process.env['TEST_TABLES_PORT'])),
    startQueueProxy(),
  ]);
  const tables = { connectionString };
  const projectTable = await openTable(tables, 'projects');
  await Promise.all([projectTable.createTable(), (await openTable(tables, 'threads')).createTable()]);
  const projects = createProjectStore(async () => projectTable);
  return {
    engine,
    issuer,
    store,
    queue,
    settings: {
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
      ASSISTANTS: JSON.stringify(testAssistants),
    },
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
    async clear() {
      store.leaveProjects();
      await Promise.all([engine.clear(), queue.reset()]);
      return issuer.reset() && store.isUp() && queue.isUp();
    },
    async close() {
      await Promise.all([engine.close(), issuer.close(), store.close()]);
      await queue.close();
    },
  };
}
