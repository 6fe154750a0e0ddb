import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { transform } from 'esbuild';
import { measureSizes } from '../../scripts/size.ts';
import { projectFolder } from '../support/process.ts';

/* The package as others install it: from its tarball, into an empty project away from this one. */

const client = join(projectFolder, 'client');
const modules = join(projectFolder, 'node_modules');
let project: string;
let tarball: string;
let entries: string[];

/** Runs a command. @returns its exit code and output. */
const run = (command: string, args: readonly string[], cwd: string): Promise<string> =>
  promisify(execFile)(command, args, { cwd }).then(
    ({ stdout, stderr }) => `0 ${stdout}${stderr}`,
    ({ code, stdout, stderr }) => `${code} ${stdout}${stderr}`,
  );
const node = (script: string, ...args: string[]) => run(process.execPath, [script, ...args], project);

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'client-'));
  expect(await node(join(projectFolder, 'scripts/buildClient.ts'))).toBe('0 ');
  const packed = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', project], {
    cwd: client,
  });
  tarball = join(project, Object.values<{ filename: string }>(JSON.parse(packed.stdout))[0]?.filename ?? '');
  ({ exports: entries } = JSON.parse(await readFile(join(client, 'package.json'), 'utf8')));
  entries = Object.keys(entries).map((entry) => `@thread-run-service/client${entry.slice(1)}`);
  await writeFile(join(project, 'package.json'), '{"type": "module", "private": true}');
  const quiet = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  expect(await run('npm', ['install', ...quiet, tarball], project)).toMatch(/^0 /);
}, 120_000);
afterAll(() => rm(project, { recursive: true, force: true }));

const compilers = {
  'TypeScript 7': modules,
  'TypeScript 5.9': join(projectFolder, 'tests/clients/node_modules'),
};

/** Compiles a file of the project strictly, with no other types than a browser's. */
const compile = (compiler: string, module: string, file: string, ...options: string[]) => {
  const resolution = module === 'nodenext' ? 'nodenext' : 'bundler';
  const args = ['--noEmit', '--strict', '--target', 'es2023', '--lib', 'es2023,dom,dom.iterable'];
  const rest = ['--module', module, '--moduleResolution', resolution, ...options, file];
  return node(join(compiler, 'typescript/bin/tsc'), ...args, ...rest);
};

const use = `
import { ApiError, createClient, type Run, RunFailedError } from '@thread-run-service/client';
const client = createClient({ baseUrl: '/api', projectId: 'p', token: async () => 'token' });
export async function chat(threadId: string): Promise<string> {
  for await (const thread of client.threads.list({ limit: 5, metadata: { a: 'b' } })) void thread.createdAt;
  const { threads, hasMore } = await client.threads.list();
  const { runId } = await client.runs.create(threadId, { message: threads.length + String(hasMore) });
  // @ts-expect-error: a message is required.
  await client.runs.create(threadId, { instructions: 'Be brief.' }).catch(() => undefined);
  let text = '';
  for await (const event of client.runs.follow(threadId, runId, { signal: AbortSignal.timeout(1) })) {
    if (event.event === 'message.delta') text += event.data.delta;
    // @ts-expect-error: a run has no delta.
    if (event.event === 'run') text += event.data.delta;
  }
  const run: Run = await client.runs.finished(threadId, runId, { timeoutMs: 1 });
  if (run.requiredAction) await client.runs.submitToolOutputs(threadId, runId, { toolOutputs: [] });
  try {
    await client.files.upload(new File(['a'], 'a.txt'));
  } catch (error) {
    if (error instanceof ApiError) return error.code ?? '';
    if (error instanceof RunFailedError) return error.run.status;
  }
  return text;
}`;

const useReact = `
import { createClient } from '@thread-run-service/client';
import { useThread, useFileUrl, type ThreadMessage } from '@thread-run-service/client/react';
import { useThreadRunRuntime } from '@thread-run-service/client/react/assistant-ui';
import { AssistantRuntimeProvider } from '@assistant-ui/react';
import { createElement, type ReactElement } from 'react';
const client = createClient({ baseUrl: '/api', projectId: 'p', token: 'token' });
export function Chat(): ReactElement {
  const { messages, submit, error } = useThread({ client, threadId: null, onEvent: ({ event }) => void event });
  const last: ThreadMessage | undefined = messages.at(-1);
  // @ts-expect-error: a message is text.
  submit(1);
  // @ts-expect-error: messages are read only.
  messages.push(last);
  return createElement('p', { title: useFileUrl(client, null).url ?? error?.message }, last?.content);
}
export function Kit(): ReactElement {
  // @ts-expect-error: a client is required.
  useThreadRunRuntime({ threadId: null });
  const runtime = useThreadRunRuntime({ client }, { suggestions: [{ prompt: 'Hello' }] });
  return createElement(AssistantRuntimeProvider, { runtime, children: null });
}`;

/** Follows a run of a service that a function stands in for: where the client depends on the platform most. */
const follow = `
import { createClient } from '@thread-run-service/client';
const run = { runId: 'run_1', status: 'completed', completedAt: '2026-01-01T00:00:00Z', requiredAction: null };
const event = (id, name, data) => 'id: ' + id + '\\nevent: ' + name + '\\ndata: ' + JSON.stringify(data) + '\\n\\n';
const pieces = [[event('1-2', 'message.delta', { delta: 'gr' })], [event('2-5', 'message.delta', { delta: 'ün' }), event('end', 'run', run)]];
const headers = { 'Content-Type': 'text/event-stream' };
const fetch = async (url, { body }) => {
  if (url.endsWith('/events')) return new Response(new Blob(pieces.shift()).stream(), { headers });
  return Response.json({ fileId: body.get('file').name });
};
const client = createClient({ baseUrl: '/api', projectId: 'p', token: 'token', fetch, timing: { retryMs: 1 } });
let text = '';
for await (const { event, data } of client.runs.follow('thread_1', 'run_1'))
  text += event === 'run' ? data.status : data.delta;
console.log(text, (await client.files.upload(new File(['a'], 'a.txt'))).fileId);`;

/** The Node.js versions of the machine on which the package has to run: this one, and what else is there. */
async function findNodes(): Promise<string[]> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin'];
  const files = folders.map((folder) => join(folder, 'node')).filter((file) => existsSync(file));
  const nodes = [...new Set([process.execPath, ...files].map((file) => realpathSync(file)))];
  const versions = await Promise.all(nodes.map((file) => run(file, ['--version'], project)));
  return nodes.filter((_, index) => Number(/^0 v(\d+)/.exec(versions[index] ?? '')?.[1]) >= 20);
}

describe('the package', () => {
  test.each(
    Object.entries(compilers).flatMap(([name, compiler]) =>
      ['nodenext', 'esnext'].map((module) => ({ name, compiler, module })),
    ),
  )('type-checks in an empty project with $name and module $module', async ({ compiler, module }) => {
    await writeFile(join(project, 'use.ts'), use);
    expect(await compile(compiler, module, 'use.ts')).toBe('0 ');
  });

  test('has a README, whose example compiles', async () => {
    const readme = await readFile(join(project, 'node_modules/@thread-run-service/client/README.md'), 'utf8');
    const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
    expect(example).toContain('createClient');
    await writeFile(join(project, 'readme.ts'), example);
    expect(await compile(modules, 'nodenext', 'readme.ts')).toBe('0 ');
    expect(readme).toContain(tarball.slice(project.length + 1));
  });

  // A 0.x version may break with each minor one.
  test('admits the assistant-ui that is tested, and none of another minor version', async () => {
    const [{ version }, { peerDependencies }] = await Promise.all(
      [join(modules, '@assistant-ui/react'), client].map(async (folder) =>
        JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')),
      ),
    );
    expect(peerDependencies['@assistant-ui/react']).toBe(`~${version}`);
  });

  test('has an entry that needs nothing but itself', async () => {
    const code = await readFile(
      join(project, 'node_modules/@thread-run-service/client/dist/index.js'),
      'utf8',
    );
    expect(code.match(/(?<=from ")(?!\.\/)[^"]+|\brequire\(|\bprocess\.|\bBuffer\b/g)).toBe(null);
    await writeFile(
      join(project, 'run.js'),
      "import * as all from '@thread-run-service/client'; console.log(Object.keys(all).join());",
    );
    expect(await node('run.js')).toBe(
      '0 ApiError,ConnectionError,RunFailedError,TimeoutError,createClient\n',
    );
  });

  test('type-checks with its peers beside it', async () => {
    for (const peer of ['react', '@types/react', '@assistant-ui/react']) {
      const link = join(project, 'node_modules', peer);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(modules, peer), link);
    }
    const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}';`);
    const uses = entries.map((_, index) => `void entry${index};`);
    await writeFile(join(project, 'all.ts'), [...imports, ...uses, useReact].join('\n'));
    for (const compiler of Object.values(compilers))
      expect(await compile(compiler, 'nodenext', 'all.ts', '--skipLibCheck')).toBe('0 ');
  });

  test('has no syntax that is newer than ES2022', async () => {
    const dist = join(project, 'node_modules/@thread-run-service/client/dist');
    const files = (await readdir(dist, { recursive: true })).filter((file) => file.endsWith('.js'));
    expect(files.length).toBeGreaterThanOrEqual(entries.length);
    for (const file of files) {
      const code = await readFile(join(dist, file), 'utf8');
      const [lowered, kept] = await Promise.all(
        ['es2022', 'esnext'].map((target) => transform(code, { target })),
      );
      expect(lowered?.code).toBe(kept?.code);
    }
  });

  test('runs on each Node.js from version 20 that the machine has', async () => {
    await writeFile(join(project, 'follow.js'), follow);
    const nodes = await findNodes();
    const outputs = await Promise.all(nodes.map((file) => run(file, ['follow.js'], project)));
    expect(outputs).toEqual(nodes.map(() => '0 grüncompleted a.txt\n'));
  });

  test('satisfies publint', async () => {
    const output = await node(join(modules, 'publint/src/cli.js'), 'run', tarball, '--strict');
    expect(output).toMatch(/^0 .*All good!/s);
  });

  test('satisfies arethetypeswrong', async () => {
    const cli = join(modules, '@arethetypeswrong/cli/dist/index.js');
    const output = await node(
      cli,
      tarball,
      '--profile',
      'esm-only',
      '--no-definitely-typed',
      '--format',
      'ascii',
    );
    expect(output).toMatch(/^0 .*bundler: 🟢/s);
  });

  test('is small', async () => {
    const sizes = await measureSizes();
    expect(sizes.filter(({ gzip, limit }) => gzip > limit)).toEqual([]);
    expect(sizes.map(({ entry }) => entry)).toContain('.');
  });
});
