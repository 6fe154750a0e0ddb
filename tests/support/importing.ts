import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bareEnv, type EndedCommand, projectFolder, runCommand } from './process.ts';
import { runScript } from './runScript.ts';
import type { ServiceUnderTest } from './useService.ts';

/** The base time of exported objects, in Unix seconds. */
export const exportedAt = 1_700_000_000;

/** Creates an id as the Assistants API made them. */
export const foreignId = (prefix: string): string =>
  `${prefix}_${Math.random().toString(36).slice(2, 14).padEnd(24, 'Z')}`;

type Json = Record<string, unknown>;

/** Creates a thread as the Assistants API returned it. */
export const exportedThread = (id: string, changed: Json = {}): Json => ({
  ...{ id, object: 'thread', created_at: exportedAt, metadata: { customer: 'ada' }, tool_resources: {} },
  ...changed,
});

/** Creates a message as the Assistants API returned it; those with odd numbers are the user's. */
export const exportedMessage = (threadId: string, number: number, changed: Json = {}): Json => ({
  id: `msg_${threadId.slice(7)}${number}`,
  object: 'thread.message',
  created_at: exportedAt + number,
  assistant_id: number % 2 === 1 ? null : 'asst_old',
  thread_id: threadId,
  run_id: number % 2 === 1 ? null : 'run_old',
  role: number % 2 === 1 ? 'user' : 'assistant',
  content: [{ type: 'text', text: { value: `text ${number}`, annotations: [] } }],
  attachments: [],
  metadata: {},
  ...changed,
});

/** Creates the first messages of a thread, oldest first. */
export const exportedMessages = (threadId: string, count: number): Json[] =>
  Array.from({ length: count }, (_, index) => exportedMessage(threadId, index + 1));

/** Creates a page of a list route. */
export const exportedPage = (data: readonly Json[], hasMore = false): Json => ({
  object: 'list',
  data,
  first_id: data[0]?.['id'] ?? null,
  last_id: data.at(-1)?.['id'] ?? null,
  has_more: hasMore,
});

/** Formats values as JSON Lines. */
export const toLines = (...values: unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');

/** An export in a folder of its own, and the command that imports it. */
export interface TestImport {
  readonly folder: string;
  /** Writes a file: JSON unless it is text. */
  write(name: string, content: unknown): Promise<void>;
  /** Runs the command to its end; one at a time. */
  run(...options: string[]): Promise<EndedCommand>;
  /** As `run`, but in a process of its own. */
  runProcess(...options: string[]): Promise<EndedCommand>;
  /** Starts the command with `--apply`, and kills it once a condition holds. */
  killWhen(condition: () => Promise<boolean>): Promise<void>;
  remove(): Promise<void>;
}

/** Creates an export for the project of the tests, or another one. */
export async function createImport(t: ServiceUnderTest, projectId = t.projectId): Promise<TestImport> {
  const folder = await mkdtemp(join(tmpdir(), 'import-test-'));
  const script = 'scripts/import.ts';
  const args = (options: readonly string[]) => ['--project', projectId, folder, ...options];
  const env = {
    ...t.settings,
    // Nothing of this machine's.
    LOCAL_SETTINGS_FILE: join(`${folder}-none`, 'local.settings.json'),
    LOCAL_DATA_DIR: `${folder}-none`,
  };
  return {
    folder,
    async write(name, content) {
      const file = join(folder, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    },
    run: (...options) => runScript(script, args(options), env),
    runProcess: (...options) => runCommand(process.execPath, [script, ...args(options)], env),
    async killWhen(condition) {
      const child = spawn(process.execPath, [script, ...args(['--apply'])], {
        cwd: projectFolder,
        env: { ...bareEnv(), ...env },
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      while (child.exitCode === null && !(await condition()))
        await new Promise((next) => setTimeout(next, 20));
      const hasEnded = child.exitCode !== null;
      child.kill('SIGKILL');
      await ended;
      if (hasEnded) throw new Error('the import ended before it was killed');
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
