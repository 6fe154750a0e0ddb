import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { build } from 'esbuild';
import { replies } from '../support/engine.ts';
import { projectFolder } from '../support/process.ts';
import { threeCalls } from '../support/toolRounds.ts';
import { useClient } from '../support/useClient.ts';
import { useService } from '../support/useService.ts';

/* The examples of docs/client.md: compiled and run. */

const t = useService();
const c = useClient(t);

const headings = [
  'First run',
  'Show a reply while it is written',
  'Execute functions, ask for approval',
  'Files',
  'Lists',
  'Errors',
  'The functions of the usage examples',
] as const;
const examples = new Map<string, string>();
let folder: string;

beforeAll(async () => {
  const page = await readFile(join(projectFolder, 'docs/client.md'), 'utf8');
  const [, ...sections] = page.split(/^## /m);
  for (const section of sections) {
    const [heading = '', ...lines] = section.split('\n');
    if (heading === 'React') continue;
    for (const [, code = ''] of lines.join('\n').matchAll(/^```tsx?\n(.*?)^```$/gms))
      examples.set(heading, code);
  }
  await mkdir(join(projectFolder, 'dist'), { recursive: true });
  folder = await mkdtemp(join(projectFolder, 'dist/guide-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const alias = { '@thread-run-service/client': join(projectFolder, 'client/src/index.ts') };

/** Runs an example and returns what it exports. */
// biome-ignore lint/suspicious/noExplicitAny: the types of the examples are checked by the compiler.
async function load(heading: (typeof headings)[number], change = (code: string) => code): Promise<any> {
  const { outputFiles } = await build({
    stdin: { contents: change(examples.get(heading) ?? ''), loader: 'ts', resolveDir: folder },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    alias,
  });
  const file = join(folder, `${headings.indexOf(heading)}.mjs`);
  await writeFile(file, outputFiles[0]?.contents ?? '');
  return import(file);
}

/** Collects what is printed meanwhile. */
async function printed(work: () => unknown): Promise<unknown[][]> {
  const lines: unknown[][] = [];
  const spies = (['log', 'warn', 'error'] as const).map((method) =>
    jest.spyOn(console, method).mockImplementation((...values) => void lines.push([method, ...values])),
  );
  try {
    await work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return lines;
}

const message = 'Explain the database schema';

describe('an example of the guide', () => {
  test('has a test, and compiles', async () => {
    expect([...examples.keys()]).toEqual(headings);
    const files = await Promise.all(
      [...examples.values()].map(async (code, index) => {
        const file = `example${index}.ts`;
        await writeFile(join(folder, file), code);
        return file;
      }),
    );
    const config = {
      extends: '../../client/tsconfig.json',
      compilerOptions: { paths: { '@thread-run-service/client': ['../../client/src/index.ts'] } },
      include: files,
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(projectFolder, 'node_modules/typescript/bin/tsc');
    const compiled = promisify(execFile)(process.execPath, [tsc, '-p', folder]);
    expect(await compiled.catch(({ stdout }) => ({ stdout }))).toMatchObject({ stdout: '' });
  });

  test('prints the reply to a first message', async () => {
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const lines = await printed(() =>
      load('First run', (code) =>
        code
          .replace('http://127.0.0.1:7071/api', c.baseUrl)
          .replace(/(?<=projectId: ')[^']+/, t.projectId)
          .replace("'TOKEN'", `'${token}'`),
      ),
    );
    expect(lines).toEqual([['log', expect.stringMatching(/./)]]);
  });

  test('shows a reply as it grows, and why there is none', async () => {
    const { ask } = await load('Show a reply while it is written');
    const client = await c.connect();
    const { threadId } = await client.threads.create();
    await t.engine.timing({ queueMs: 0, runMs: 1_000 });
    const shown: string[] = [];
    await ask(client, threadId, message, (text: string) => shown.push(text));
    const reply = (await client.threads.get(threadId)).messages.at(-1)?.content;
    expect(shown.length).toBeGreaterThan(2);
    expect(shown.slice(-2)).toEqual([reply, reply]);
    await t.engine.outcome({ status: 'failed', code: 'server_error' });
    await ask(client, threadId, message, (text: string) => shown.push(text));
    expect(shown.at(-1)).toBe('The assistant could not finish the run: server_error.');
  });

  test('executes functions and asks for approval', async () => {
    const { runWithFunctions } = await load('Execute functions, ask for approval');
    const client = await c.connect();
    await t.engine.outcome(threeCalls);
    const { threadId, run } = await client.threads.create({ message });
    const inputs: unknown[] = [];
    const get_order = async (input: unknown) => {
      inputs.push(input);
      return { shipped: true };
    };
    const ended = await runWithFunctions(client, threadId, run.runId, { get_order }, async () => false);
    expect(ended).toMatchObject({ status: 'completed' });
    expect(inputs).toEqual([{ orderId: 'A-17' }, { orderId: 'B-4' }]);
    const rounds = (await t.engine.runs()).filter(({ metadata }) => metadata['runId'] === run.runId);
    expect(rounds[1]?.input).toEqual([
      expect.objectContaining({ output: '{"shipped":true}' }),
      expect.objectContaining({ output: '{"shipped":true}' }),
      expect.objectContaining({ approve: false }),
    ]);
  });

  test('asks about a file and reads generated ones', async () => {
    const { askAbout, generatedFiles } = await load('Files');
    const client = await c.connect();
    const { threadId } = await client.threads.create();
    expect(await askAbout(client, threadId, new File(['Hello'], 'hello.txt'))).toBe('completed');
    await t.engine.outcome(replies.generatedFile('chart.csv', Buffer.from('a,b')));
    const { runId } = await client.runs.create(threadId, { message });
    await client.runs.completed(threadId, runId);
    const files: Map<string, Blob> = await generatedFiles(client, threadId);
    expect(await files.get('chart.csv')?.text()).toBe('a,b');
  });

  test('lists threads with their latest messages', async () => {
    const { overview } = await load('Lists');
    const client = await c.connect();
    const { threadId, run } = await client.threads.create({ message, metadata: { customer: '4711' } });
    await client.runs.completed(threadId, run.runId);
    const reply = (await client.threads.get(threadId)).messages.at(-1)?.content;
    expect(await overview(client, '4711')).toEqual([`${threadId}: ${reply}`]);
  });

  test('explains errors', async () => {
    // Bundled with the client, whose classes it compares.
    const { explain, fail } = await load(
      'Errors',
      (code) => `${code}
      import { createClient } from '@thread-run-service/client';
      export const fail = (options) => createClient(options);`,
    );
    const options = { baseUrl: c.baseUrl, projectId: t.projectId, timing: { retryMs: 1, maxRetryMs: 1_000 } };
    const client = fail({ ...options, token: await t.issuer.sign({ projects: [t.projectId] }) });
    const reasonOf = (promise: Promise<unknown>) => promise.then(String, explain);
    await t.engine.outcome({ status: 'failed', code: 'server_error' });
    const failed = await client.threads.create({ message });
    expect(await reasonOf(client.runs.completed(failed.threadId, failed.run.runId))).toBe(
      'The assistant could not finish the run: server_error.',
    );
    await t.engine.outcome({ status: 'never' });
    const { threadId, run } = await client.threads.create({ message });
    expect(await reasonOf(client.runs.create(threadId, { message }))).toBe('Please wait for the reply.');
    await client.runs.cancel(threadId, run.runId);
    expect(await reasonOf(client.threads.get('thread_1'))).toMatch(
      /^Something went wrong \(request \S+\)\.$/,
    );
    c.next(({ refuse }) => refuse(429, { 'Retry-After': '7' }));
    expect(await reasonOf(client.threads.get(threadId))).toBe('Please try again in 7 seconds.');
    c.all(({ cut }) => cut());
    expect(await reasonOf(client.threads.get(threadId))).toMatch(/cannot be reached/);
  });

  test('does what the functions of the usage examples do', async () => {
    const page = await load('The functions of the usage examples');
    const client = await c.connect();
    const { threadId } = await client.threads.create();
    await t.engine.timing({ queueMs: 0, runMs: 1_000 });
    let result: unknown;
    const lines = await printed(async () => {
      result = await page.createAndMonitorRun(client, threadId, message);
    });
    expect(result).toMatchObject({ userMessage: message, finalStatus: { status: 'completed' } });
    expect(lines.slice(-2)).toEqual([
      ['log', '🤖 Assistant is processing your request...'],
      ['log', '✅ Response ready!'],
    ]);

    await t.engine.outcome({ status: 'failed', code: 'server_error' });
    let error: unknown;
    const shown = await printed(async () => {
      error = await page.createAndMonitorRun(client, threadId, message).catch((caught: unknown) => caught);
    });
    expect(shown.at(-1)).toEqual(['log', '❌ Something went wrong']);
    expect(error).toMatchObject({ name: 'RunFailedError', run: { status: 'failed' } });

    const errorMessage = 'The engine failed.';
    const handled = await printed(() => {
      for (const status of ['failed', 'expired', 'cancelled']) page.handleRunError(status, { errorMessage });
      page.updateRunProgress('cancelled');
    });
    expect(handled).toEqual([
      ['error', 'Run failed:', errorMessage],
      ['warn', 'Run timed out'],
      ['error', 'Unknown run status:', 'cancelled'],
      ['log', 'Unknown status'],
    ]);
  });
});
