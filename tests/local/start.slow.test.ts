import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { scheduler } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { freePort, startAzurite } from '../../local/azurite.ts';
import { startTestEngine } from '../support/engine.ts';
import { startTestIssuer } from '../support/issuer.ts';
import { bareEnv, projectFolder } from '../support/process.ts';
import { runScript } from '../support/runScript.ts';
import { until } from '../support/until.ts';

/*
 * `npm start` as a user runs it, in a process group of its own and with a data folder of its own. These tests stay one
 * after the other in one file: what is started prefers the well-known ports 7072, 7073, 10001 and 10002.
 */

// A start takes seconds, and several of them on a busy machine.
jest.setTimeout(120_000);

const { PATH = '' } = process.env;
let dataDir: string;
const cleanups: (() => unknown)[] = [];

async function makeFolder(): Promise<void> {
  dataDir = await mkdtemp(join(tmpdir(), 'start-test-'));
}

async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await untilGone();
  await rm(dataDir, { recursive: true, force: true });
}

/** Gives each test of a group a data folder of its own. */
function useFolders(): void {
  beforeEach(makeFolder);
  afterEach(cleanUp);
}

/** Names files of this test instead of those of the checkout. They need not exist. */
const ownFiles = () => ({
  LOCAL_SETTINGS_FILE: join(dataDir, 'local.settings.json'),
  LOCAL_ASSISTANTS_DIR: join(dataDir, 'own/assistants'),
  LOCAL_PROJECTS_FILE: join(dataDir, 'own/projects.json'),
  LOCAL_DOCUMENTS_DIR: join(dataDir, 'own/documents'),
});

/** The processes that work on this test's data folder: its Azurite. */
async function processes(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'args=']);
  return stdout.split('\n').filter((args) => args.includes(dataDir));
}

async function untilGone(): Promise<void> {
  for (let tries = 0; tries < 100 && (await processes()).length > 0; tries++) await scheduler.wait(50);
  expect(await processes()).toEqual([]);
}

interface Started {
  /** All that it has written. */
  output(): string;
  readonly url: string;
  readonly token: string | undefined;
  /** The lines to paste. */
  readonly block: string;
  readonly lines: {
    readonly setUp: string;
    readonly create: string;
    readonly wait: string;
    readonly read: string;
  };
  /** Sends a signal to the process alone; resolves with its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

interface Command {
  readonly file?: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
}

/** Runs the command until the service is ready or has ended; in the latter case there is an exit code. */
async function launch(settings: Record<string, string>, command: Command = {}) {
  const { file = process.execPath, args = ['local/start.ts'], cwd = projectFolder } = command;
  const child = spawn(file, args, {
    cwd,
    env: { ...bareEnv(), HOME: dataDir, LOCAL_DATA_DIR: dataDir, PORT: '0', ...ownFiles(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  cleanups.push(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // The whole group has ended, as it should.
    }
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const closed = once(child, 'close');
  let output = '';
  const ready = new Promise<void>((resolve) => {
    const add = (text: string) => {
      output += text;
      if (output.includes('Press Ctrl-C to stop')) resolve();
    };
    child.stdout.setEncoding('utf8').on('data', add);
    child.stderr.setEncoding('utf8').on('data', add);
  });
  await Promise.race([ready, closed]);
  return { child, exited, code: child.exitCode, output, written: () => output };
}

async function start(settings: Record<string, string> = {}, command: Command = {}): Promise<Started> {
  const { child, exited, code, output, written } = await launch(settings, command);
  if (code !== null) throw new Error(`the start ended with code ${code}:\n${output}`);
  const block = /^(?:export TOKEN=.*\n)?(?:(?:curl|RUN=).*\n)+/m.exec(output)?.[0] ?? '';
  const lines = block.trimEnd().split('\n');
  const curls = lines.filter((line) => line.startsWith('curl '));
  const [create = '', wait = '', again = '', read = ''] = curls;
  expect([curls.length, again]).toEqual([4, wait]);
  return {
    output: () => written(),
    url: /listening at (\S+)/.exec(output)?.[1] ?? '',
    token: /^export TOKEN=(eyJ\S+)$/m.exec(output)?.[1],
    block,
    lines: {
      setUp: lines.find((line) => line.startsWith('export ')) ?? '',
      create,
      wait: `${lines.find((line) => line.startsWith('RUN='))}; ${wait}`,
      read,
    },
    async end(signal) {
      child.kill(signal);
      return (await exited)[0];
    },
  };
}

/** A start that is to fail: its exit code and what it wrote. */
async function fail(settings: Record<string, string>) {
  const { code, output } = await launch(settings);
  if (code === null) throw new Error(`the start did not fail:\n${output}`);
  return { code, output };
}

/** A terminal with a shell, into which lines are pasted one after the other. */
function openTerminal(env: Record<string, string> = {}) {
  const shell = spawn('bash', { env: { PATH, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  cleanups.push(() => shell.kill());
  let output = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return {
    /** Sets a variable. */
    set(line: string): void {
      shell.stdin.write(`${line}\n`);
    },
    /** Resolves with the JSON that the line prints. */
    // biome-ignore lint/suspicious/noExplicitAny: a test asserts on whatever came.
    async paste(line: string): Promise<any> {
      output = '';
      shell.stdin.write(`${line}\necho; echo --done--\n`);
      while (!output.includes('\n--done--\n')) {
        if (shell.exitCode !== null || shell.signalCode !== null) throw new Error('the terminal was closed');
        await scheduler.wait(10);
      }
      return JSON.parse(output.slice(0, output.indexOf('\n--done--\n')));
    },
  };
}

/** Pastes the lines one by one, the wait until the run has ended. */
async function converse({ lines }: Started, { paste, set }: ReturnType<typeof openTerminal>) {
  set(lines.setUp);
  const created = await paste(lines.create);
  let run = await paste(lines.wait);
  while (['queued', 'in_progress'].includes(run.status)) run = await paste(lines.wait);
  expect(run).toMatchObject({ runId: created.runId, status: 'completed' });
  return { run, thread: await paste(lines.read) };
}

describe('npm start', () => {
  let started: Started;
  let port: string;
  beforeAll(async () => {
    await makeFolder();
    port = String(await freePort());
    started = await start({ PORT: port });
  });
  afterAll(async () => {
    const code = await started.end('SIGTERM');
    await cleanUp();
    expect(code).toBe(0);
  });

  test('prints lines that, pasted together, start a run, wait for it and end in the reply', async () => {
    expect(started.token).toBeDefined();
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', started.block]);
    expect(stderr).toBe('');
    // Each response is a line of its own.
    const [created, changed, ended, thread, ...others] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(others).toEqual([]);
    expect(created.status).toBe('queued');
    expect(['in_progress', 'completed']).toContain(changed.status);
    expect(ended).toMatchObject({ runId: created.runId, status: 'completed' });
    expect(thread.messages.at(-1)).toMatchObject({
      role: 'assistant',
      content: expect.stringContaining('authentication.md'),
    });
  });

  test('lists its functions with their addresses', async () => {
    const { paths } = JSON.parse(await readFile(join(projectFolder, 'openapi.json'), 'utf8'));
    const listed = [...started.output().matchAll(/^ +(\w+): \[([A-Z,]+)\] (\S+)$/gm)].map(
      ([, name, method, url]) => [name, method, url],
    );
    const described = Object.entries<Record<string, { operationId?: string }>>(paths).flatMap(
      ([path, methods]) =>
        Object.entries(methods).flatMap(([method, { operationId }]) =>
          operationId === undefined ? [] : [[operationId, method.toUpperCase(), `${started.url}/api${path}`]],
        ),
    );
    // The contract of the Assistants API is that of the `openai` package.
    const face = ['openai', 'GET,POST,DELETE', `${started.url}/api/projects/{projectId}/openai/{*path}`];
    const page = [
      ['console', 'GET', `${started.url}/api/console`],
      ['consoleAsset', 'GET', `${started.url}/api/console/{file}`],
    ];
    expect(listed.sort()).toEqual([...described, face, ...page].sort());
  });

  test('lets scripts of every origin call it, as Core Tools does', async () => {
    const { url, token } = started;
    const origin = { Origin: 'https://app.example' };
    const preflight = await fetch(`${url}/api/openapi.json`, {
      method: 'OPTIONS',
      headers: { ...origin, 'Access-Control-Request-Method': 'GET' },
    });
    expect([preflight.status, preflight.headers.get('Access-Control-Allow-Origin')]).toEqual([204, '*']);
    const response = await fetch(`${url}/api/projects/none/threads`, {
      headers: { ...origin, Authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(403);
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(response.headers.get('Access-Control-Expose-Headers')).toContain('X-Request-Id');
  });

  test.each([
    ['on its port', (port: string) => port],
    ['on another port', () => '0'],
  ])(
    'ends with code 1 where the service runs already, and leaves its tokens and data alone: %s',
    async (_name, choose) => {
      const terminal = openTerminal({ LOCAL_DATA_DIR: dataDir });
      terminal.set(started.lines.setUp);
      const created = await terminal.paste(started.lines.create);

      const { code, output } = await fail({ PORT: choose(port) });
      expect(code).toBe(1);
      expect(output).not.toContain('    at ');
      expect(await processes()).toHaveLength(1);

      terminal.set(`TOKEN=$(${process.execPath} ${join(projectFolder, 'local/token.ts')})`);
      expect(await terminal.paste(started.lines.wait)).toMatchObject({
        runId: created.runId,
      });
    },
  );

  test('holds its data folder against a second start, whose parts are all its own or not', async () => {
    expect((await fail({})).output).toMatch(
      /^The service did not start: another process is using this data folder;/,
    );
    const [issuer, engine, azurite] = await Promise.all([
      startTestIssuer(),
      startTestEngine(),
      startAzurite({ ports: { table: await freePort(), queue: await freePort() } }),
    ]);
    cleanups.push(issuer.close, engine.close, azurite.close);
    const parts = {
      JWT_ISSUER: issuer.url,
      JWT_AUDIENCE: issuer.audience,
      OPENAI_BASE_URL: engine.url,
      OPENAI_API_KEY: 'key',
    };
    expect((await fail(parts)).output).toContain('is using this data folder');
    const storage = {
      TABLES_CONNECTION_STRING: azurite.connectionString,
      QUEUES_CONNECTION_STRING: azurite.connectionString,
    };
    const second = await start({ ...parts, ...storage });
    expect(await second.end('SIGTERM')).toBe(0);
  });
});

describe('npm start, from its start to its end,', () => {
  useFolders();

  test('keeps its data and tokens over a restart and a crash, whatever other processes left there', async () => {
    // What former versions kept there, with the id of a process that runs.
    await writeFile(join(dataDir, 'lock'), String(process.pid));
    // Whatever else runs on this machine: the issuer's well-known port is taken, and tokens outlive a restart all the same.
    const other = createServer().on('error', () => undefined);
    other.listen(7072, '127.0.0.1');
    cleanups.push(() => other.close());
    const PORT = String(await freePort());
    const first = await start({ PORT });
    expect(first.url).toBe(`http://127.0.0.1:${PORT}`);
    expect(first.token).toBeDefined();
    const terminal = openTerminal();
    const { run, thread } = await converse(first, terminal);
    expect(thread.messages).toMatchObject([
      { role: 'user', content: 'Can you help me understand the authentication flow in this project?' },
      { role: 'assistant', content: expect.stringContaining('authentication.md') },
    ]);
    expect(await processes()).toHaveLength(1);
    expect(await first.end('SIGINT')).toBe(0);
    expect(await processes()).toEqual([]);

    // The terminal still has the token of the first start.
    const second = await start({ PORT });
    expect(await terminal.paste(first.lines.wait)).toEqual(run);
    expect(await terminal.paste(first.lines.read)).toEqual(thread);
    const again = await converse(second, terminal);
    await second.end('SIGKILL');
    await untilGone();

    const third = await start({ PORT });
    expect(await terminal.paste(third.lines.wait)).toEqual(again.run);
    expect((await terminal.paste(third.lines.read)).messages).toHaveLength(4);
    expect(await third.end('SIGTERM')).toBe(0);
    expect(await processes()).toEqual([]);
  });

  test('builds first, and ends with everything when npm is asked to end', async () => {
    // A checkout of its own, so that the build does not come between the other tests and theirs.
    const cwd = join(dataDir, 'checkout');
    await mkdir(cwd);
    await copyFile(join(projectFolder, 'package.json'), join(cwd, 'package.json'));
    const parts = ['node_modules', 'client', 'console', 'functions', 'shared', 'local', 'scripts'];
    for (const part of [...parts, 'openapi.json']) {
      await symlink(join(projectFolder, part), join(cwd, part));
    }
    const started = await start({}, { file: 'npm', args: ['start'], cwd });
    expect(await readdir(join(cwd, 'dist'))).toEqual([
      'assistantsApi.cjs',
      'busboy.cjs',
      'console.cjs',
      'identity.cjs',
      'index.cjs',
      'openai.cjs',
      'storage.cjs',
    ]);
    expect(await processes()).toHaveLength(1);
    await started.end('SIGTERM');
    await untilGone();
  });

  test('ends when npm ends while it is starting', async () => {
    // As npm does: a shell that forwards no signals. The argument tells the process from others.
    const script = `"${process.execPath}" local/start.ts "${dataDir}"; true`;
    const storeStarts = async () => (await processes()).some((args) => args.includes('azuriteProcess'));
    const env = { PATH, HOME: dataDir, LOCAL_DATA_DIR: dataDir, PORT: '0', ...ownFiles() };
    const shell = spawn('bash', ['-c', script], {
      cwd: projectFolder,
      env: { ...env, npm_lifecycle_event: 'start' },
      stdio: 'ignore',
    });
    await until('the store starts', storeStarts);
    shell.kill();
    // Azurite takes a while to load, and does nothing else meanwhile.
    await until('all have ended', async () => (await processes()).length === 0);
  });

  test('says which port is taken, and how to choose another', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    cleanups.push(() => taken.close());
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, output } = await fail({ PORT: String(port) });
    expect(code).toBe(1);
    expect(output).toBe(`Port ${port} is in use; choose another: PORT=7080 npm start\n`);
    expect(await processes()).toEqual([]);
  });
});

describe('npm start with a part of its own', () => {
  useFolders();

  test('starts no emulator when OPENAI_BASE_URL names an engine, and gives the demo the first of ASSISTANTS', async () => {
    const engine = await startTestEngine();
    cleanups.push(() => engine.close());
    const own = { id: 'asst_own', name: 'Own', model: 'gpt-5-mini', instructions: 'Be brief.' };
    const started = await start({
      OPENAI_BASE_URL: engine.url,
      OPENAI_API_KEY: 'key',
      ASSISTANTS: JSON.stringify([own]),
    });
    expect(started.token).toBeDefined();
    expect(await processes()).toHaveLength(1);
    const { run, thread } = await converse(started, openTerminal());
    expect(run.assistantId).toBe('asst_own');
    expect(thread.messages).toHaveLength(2);
    expect(await engine.runs()).toMatchObject([
      { instructions: 'Be brief.', metadata: { runId: run.runId } },
    ]);
    expect(await readdir(dataDir)).not.toContain('emulator');
    expect(await started.end('SIGTERM')).toBe(0);
  });

  test('starts no issuer when JWT_ISSUER names one and asks for its token, and no store when one is named', async () => {
    const [issuer, azurite] = await Promise.all([
      startTestIssuer(),
      startAzurite({ ports: { table: await freePort(), queue: await freePort() } }),
    ]);
    cleanups.push(issuer.close, azurite.close);
    const started = await start({
      JWT_ISSUER: issuer.url,
      JWT_AUDIENCE: issuer.audience,
      TABLES_CONNECTION_STRING: azurite.connectionString,
      QUEUES_CONNECTION_STRING: azurite.connectionString,
    });
    expect(started.token).toBeUndefined();
    expect(started.output()).toContain('Set TOKEN to a token from your issuer.');
    expect(await processes()).toEqual([]);
    const kept = await readdir(dataDir);
    expect(kept).toContain('emulator');
    expect(kept).not.toContain('issuer.json');
    await converse(started, openTerminal({ TOKEN: await issuer.sign({ sub: 'demo-member' }) }));
    expect(await started.end('SIGTERM')).toBe(0);
  });
});

describe("npm start and files of one's own", () => {
  useFolders();

  const assistant = (id: string, changed: object = {}) => ({
    ...{ id, name: 'Support', model: 'gpt-5-mini', instructions: 'Be brief.' },
    ...changed,
  });
  const project = (assistantId: string) => [{ projectId: 'acme', name: 'Acme', assistantId }];
  const write = async (file: string, content: unknown) => {
    await mkdir(join(dataDir, 'own', dirname(file)), { recursive: true });
    await writeFile(
      join(dataDir, 'own', file),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  };
  const command = async (script: string, ...args: string[]) => {
    const environment = { LOCAL_DATA_DIR: dataDir, ...ownFiles() };
    const { code, stdout, stderr } = await runScript(script, args, environment);
    return code === 0 ? stdout.trim() : stderr.trim();
  };
  /** Sends a request to the project. */
  const call = async ({ url }: Started, path: string, body?: object) => {
    const response = await fetch(`${url}/api/projects/acme/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: {
        Authorization: `Bearer ${await command('local/token.ts', '--project', 'acme')}`,
        'Content-Type': 'application/json',
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  /** Runs a message on a new thread; returns the run as created and its path. */
  const run = async (started: Started, message = 'Hello') => {
    const { threadId } = (await call(started, 'threads', {})).body;
    const { status, body } = await call(started, `threads/${threadId}/runs`, { message });
    expect(status).toBe(201);
    return { ...body, path: `threads/${threadId}/runs/${body.runId}`, thread: `threads/${threadId}` };
  };

  test('uses them from the start, and applies each change at once', async () => {
    await write('assistants/support.json', assistant('asst_support'));
    await write('projects.json', project('asst_support'));
    const started = await start();
    expect(started.output()).toContain('acme (Acme)');
    const first = await run(started);
    expect(first.assistantId).toBe('asst_support');
    // Only curl gets a line break.
    expect((await call(started, first.path)).text).toMatch(/\}$/);

    // An event stream in progress is not interrupted.
    const events = call(started, `${first.path}/events`);
    await write('assistants/second.json', assistant('asst_second'));
    await write('projects.json', project('asst_second'));
    await until('the change is applied', () =>
      started.output().includes('Applied: project acme (Acme) changed, with the assistant asst_second'),
    );
    expect((await run(started)).assistantId).toBe('asst_second');
    expect((await events).text).toContain('"status":"completed"');
    expect(await started.end('SIGTERM')).toBe(0);
  });

  test('names what is wrong with them, keeps what it had, and applies them once they are right', async () => {
    await write('projects.json', '[{"projectId": "acme",');
    const started = await start();
    const { output } = started;
    await until('the fault is logged', () =>
      output().includes('projects.json is not valid JSON (line 1 column 23)'),
    );
    await write('assistants/support.json', assistant('asst_support'));
    await write('projects.json', project('asst_support'));
    await until('they are applied', () => output().includes('Applied: project acme (Acme) added'));

    await write('projects.json', project('asst_other'));
    await until('the fault is logged', () => output().includes('has no assistant \\"asst_other\\"'));
    await write(
      'assistants/support.json',
      assistant('asst_support', { model: undefined, instruction: 'secret' }),
    );
    await until('the fault is logged', () =>
      output().includes("support.json: the assistant must have required property 'model'"),
    );
    expect(output()).toContain('support.json: the assistant has an unknown field \\"instruction\\"');
    expect(output()).not.toContain('secret');
    expect((await run(started)).assistantId).toBe('asst_support');
    expect(await started.end('SIGTERM')).toBe(0);
  });

  test("lets the assistant search the documents in a project's own folder, and no others", async () => {
    await write('assistants/support.json', assistant('asst_support', { tools: [{ type: 'file_search' }] }));
    await write('projects.json', project('asst_support'));
    const started = await start();
    const ask = async (question: string) => {
      const { path, thread } = await run(started, question);
      // One wait for each change.
      for (let waits = 0; waits < 2; waits++) await call(started, `${path}?wait=60`);
      return (await call(started, thread)).body.messages.at(-1).content;
    };
    const question = 'How long does a refund of a pigeon take?';
    expect(await ask(question)).not.toContain('seventeen');
    await write('documents/acme/refunds.md', '# Refunds\n\n## Pigeons\n\nA refund takes seventeen days.\n');
    await write('documents/other/refunds.md', '# Refunds\n\n## Pigeons\n\nA refund takes nineteen days.\n');
    await until('they are applied', () =>
      started.output().includes('Applied: documents of acme changed, 1 in all'),
    );
    const reply = await ask(question);
    expect(reply).toContain('seventeen');
    expect(reply).not.toContain('nineteen');
    // The demo's documents are none of the project's.
    expect(await ask('Can you explain the authentication flow?')).not.toContain('authentication.md');
    expect(await started.end('SIGTERM')).toBe(0);
  });

  test('lets npm run projects find the service while it runs, and no longer', async () => {
    const started = await start();
    await write('more.json', project('asst_xyz789'));
    expect(await command('scripts/projects.ts', 'apply', join(dataDir, 'own/more.json'))).toBe(
      'applied acme (Acme)',
    );
    expect((await run(started)).assistantId).toBe('asst_xyz789');
    expect(await started.end('SIGTERM')).toBe(0);
    expect(await readdir(dataDir)).not.toContain('running.json');
    expect(await command('scripts/projects.ts', 'list')).toContain('Start the service with "npm start"');
  });

  test('reads local.settings.json, in which the environment has the last word', async () => {
    const [port, other, engine] = [await freePort(), await freePort(), await startTestEngine()];
    cleanups.push(() => engine.close());
    const Values = {
      PORT: String(port),
      OPENAI_BASE_URL: engine.url,
      OPENAI_API_KEY: 'key',
      RUN_TIMEOUT_SECONDS: '0',
    };
    await writeFile(ownFiles().LOCAL_SETTINGS_FILE, JSON.stringify({ Values }));
    expect((await fail({ PORT: '' })).output).toContain('RUN_TIMEOUT_SECONDS must be');
    const started = await start({ PORT: String(other), RUN_TIMEOUT_SECONDS: '60' });
    expect(started.url).toBe(`http://127.0.0.1:${other}`);
    await converse(started, openTerminal());
    expect(await engine.runs()).toHaveLength(1);
    expect(await started.end('SIGTERM')).toBe(0);
  });
});

describe('npm start with settings that do not work', () => {
  useFolders();

  test.each<[string, Record<string, string>, string[]]>([
    [
      'settings of the app',
      { JWT_ISSUER: 'nonsense', RUN_TIMEOUT_SECONDS: 'soon', ASSISTANTS: '{}' },
      ['JWT_ISSUER must be', 'JWT_AUDIENCE is missing', 'RUN_TIMEOUT_SECONDS must be', 'ASSISTANTS must be'],
    ],
    [
      'addresses that decide what is started',
      { OPENAI_BASE_URL: 'nonsense', TABLES_ENDPOINT: 'nonsense', RUN_TIMEOUT_SECONDS: '0' },
      ['OPENAI_BASE_URL must be', 'TABLES_ENDPOINT must be', 'RUN_TIMEOUT_SECONDS must be'],
    ],
  ])('names all faults at once, and leaves nothing behind: %s', async (_name, settings, faults) => {
    const { code, output } = await fail(settings);
    expect(code).toBe(1);
    for (const fault of faults) expect(output).toContain(`  - ${fault}`);
    expect(output).not.toMatch(/nonsense|soon| {4}at /);
    expect(await processes()).toEqual([]);
  });
});
