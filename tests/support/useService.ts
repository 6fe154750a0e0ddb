import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import type { EngineRun } from './engine.ts';
import { loadNatively } from './native.ts';
import { idOf, pathOf } from './paths.ts';
import type { TestResponse, TestService } from './service.ts';

/** A service shared by the tests of a file, with a project. */
export interface ServiceUnderTest extends TestService {
  readonly projectId: string;
  /** Creates a project and makes it the one that the tests use. */
  changeProject(): Promise<void>;
  /** Creates a thread, in that project by default. */
  openThread(projectId?: string): Promise<string>;
  /** Sends a create of a run, without checking its response. */
  createRun(thread: string, body?: unknown, headers?: Record<string, string>): Promise<TestResponse>;
  /**
   * Creates a run, on a new thread by default.
   * @throws {Error} when the service does not accept it.
   */
  startRun(thread?: string, run?: { body?: unknown; headers?: Record<string, string> }): Promise<StartedRun>;
  /** Returns the engine's response for a run, if there is one. */
  engineRunOf(run: string): Promise<EngineRun | undefined>;
}

export interface StartedRun {
  /** Its path below `/api`. */
  readonly thread: string;
  /** Its path below `/api`. */
  readonly run: string;
  readonly runId: string;
}

/** Default body of a create. */
export const question = { message: 'Explain the database schema' };

/** Starting five processes takes seconds, and several times that on a busy machine. */
const startTimeoutMs = 120_000;

/** The module outlives the file, and with it what it keeps running. */
export const { startService } = loadNatively<typeof import('./service.ts')>('service.ts');

type Settings = Readonly<Record<string, string>>;

/**
 * Starts a service before all tests and closes it afterwards. Before each test, clears faults and counts.
 * @param overrides settings of the app that differ from the default test configuration, or a function that returns them.
 * @param folder returns the app's folder; this project's by default.
 */
export function useService(
  overrides: Settings | (() => Settings | Promise<Settings>) = {},
  folder?: () => string,
): ServiceUnderTest {
  let projectId = '';
  // The service does not exist before the start, so access it lazily.
  const t = {
    get projectId() {
      return projectId;
    },
    async changeProject() {
      ({ projectId } = await t.addProject());
    },
    createRun: (thread, body = question, headers = {}) =>
      t.call(`${thread}/runs`, { method: 'POST', body, headers }),
    async startRun(given, { body, headers } = {}) {
      const thread = given ?? (await t.openThread());
      const created = await t.createRun(thread, body, headers);
      if (created.status !== 201) throw new Error(`a create was answered with ${created.status}`);
      return { thread, run: pathOf(created), runId: created.body.runId };
    },
    engineRunOf: async (run) => (await t.engine.roundsOf(idOf(run)))[0],
  } as ServiceUnderTest;

  beforeAll(async () => {
    const settings = typeof overrides === 'function' ? await overrides() : overrides;
    const service = await startService(settings, folder?.());
    Object.defineProperties(t, {
      ...Object.getOwnPropertyDescriptors(service),
      openThread: { value: (project = projectId) => service.openThread(project) },
    });
    await t.changeProject();
  }, startTimeoutMs);
  afterAll(() => t.close?.());
  beforeEach(async () => {
    t.store.reset();
    await Promise.all([t.engine.reset(), t.queue.reset()]);
  });
  return t;
}
