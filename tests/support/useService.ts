import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import type { EngineRun } from './engine.ts';
import { idOf, pathOf } from './paths.ts';
import { type Answer, startService, type TestService } from './service.ts';

/** A service that lasts as long as the tests of a file, and a project of theirs. */
export interface ServiceUnderTest extends TestService {
  readonly projectId: string;
  /** Makes a new project the one that the tests use. */
  changeProject(): Promise<void>;
  /** Opens a thread in that project unless another is given. */
  openThread(projectId?: string): Promise<string>;
  /** Sends a create of a run, whatever becomes of it. */
  createRun(thread: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /**
   * Creates a run, on a thread of its own unless one is given.
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

/** The body of a create where its content does not matter. */
export const question = { message: 'Explain the database schema' };

/** Starting five processes takes seconds, and several times that on a busy machine. */
const startTimeoutMs = 120_000;

type Settings = Readonly<Record<string, string>>;

/**
 * Starts a service before all tests and closes it after them; before each, forgets what the one before has injected and
 * counted.
 * @param overrides settings of the app that differ from a usable configuration, or what returns them when it starts.
 * @param folder returns the app's folder; absent: this project's.
 */
export function useService(
  overrides: Settings | (() => Settings | Promise<Settings>) = {},
  folder?: () => string,
): ServiceUnderTest {
  let projectId = '';
  // Its parts come with the start: a test finds them here.
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
    engineRunOf: async (run) =>
      (await t.engine.runs()).find(({ metadata }) => metadata['runId'] === idOf(run)),
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
