import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import document from '../../openapi.json' with { type: 'json' };
import { projectFolder } from '../support/process.ts';
import { useService } from '../support/useService.ts';

/* The clients that common generators make of openapi.json: the examples of docs/api.md are compiled and run. */

const run = promisify(execFile);
const t = useService();
let folder: string;

const description = join(projectFolder, 'openapi.json');
const generator = (name: string) => join(projectFolder, 'tests/clients/node_modules/.bin', name);

beforeAll(async () => {
  // Within the project, so that the compiler finds the types of Node.js.
  await mkdir(join(projectFolder, 'dist'), { recursive: true });
  folder = await mkdtemp(join(projectFolder, 'dist/clients-'));
  const docs = await readFile(join(projectFolder, 'docs/api.md'), 'utf8');
  const examples = [...docs.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);
  expect(examples).toHaveLength(2);
  await Promise.all([
    run(process.execPath, [generator('openapi-typescript'), description, '-o', join(folder, 'api.ts')]),
    run(process.execPath, [generator('openapi-ts'), '-i', description, '-o', join(folder, 'client')]),
    writeFile(join(folder, 'types.ts'), examples[0] ?? ''),
    writeFile(join(folder, 'hey.ts'), examples[1] ?? ''),
  ]);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Compiles files strictly. @returns what the compiler says; empty when nothing is wrong. */
async function compile(...files: string[]): Promise<string> {
  const options = ['--noEmit', '--strict', '--ignoreConfig'];
  const target = ['--target', 'es2023', '--lib', 'es2023,dom,dom.iterable,dom.asynciterable'];
  const modules = [
    '--module',
    'preserve',
    '--allowImportingTsExtensions',
    '--types',
    'node',
    '--skipLibCheck',
  ];
  const args = ['node_modules/typescript/bin/tsc', ...options, ...target, ...modules];
  const paths = files.map((file) => join(folder, file));
  const ended = run(process.execPath, [...args, ...paths], { cwd: projectFolder });
  return ended.then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

/** Imports an example, bundled with its client. */
async function load(file: string): Promise<Record<string, (...args: string[]) => Promise<unknown>>> {
  const outfile = join(folder, `${file}.mjs`);
  await build({ entryPoints: [join(folder, file)], outfile, bundle: true, format: 'esm', platform: 'node' });
  return import(outfile);
}

describe('openapi-typescript', () => {
  test('yields types that compile, with events that their names tell apart', async () => {
    const misuse = `
      import type { components, paths } from './api.ts';
      type Path = paths['/projects/{projectId}/threads/{threadId}/runs/{runId}/events'];
      type Data = Path['get']['responses'][200]['content']['text/event-stream'];
      export function data(data: Data): string {
        if ('delta' in data) return data.delta;
        return 'status' in data ? data.status : '';
      }
      export function handle(event: components['schemas']['RunEvent']) {
        // @ts-expect-error: a run has no delta.
        if (event.event === 'run') return event.data.delta;
        // @ts-expect-error: there is no such event.
        if (event.event === 'nosuch') return '';
        if (event.event === 'message.start' || event.event === 'message.end') return event.data.messageId;
        if (event.event === 'step') return event.data.step.type;
        return event.data.delta;
      }`;
    await writeFile(join(folder, 'misuse.ts'), misuse);
    expect(await compile('types.ts', 'misuse.ts')).toBe('');
  });

  test('yields what the example in docs/api.md needs to follow a run', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 300 });
    const started = await t.startRun();
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const { follow } = await load('types.ts');
    expect(await follow?.(`${t.url}/api/${started.run}/events`, token)).toEqual({
      reply: expect.stringContaining('database'),
      status: 'completed',
    });
  });
});

describe('@hey-api/openapi-ts', () => {
  test('yields a client that compiles, with events typed as their data', async () => {
    expect(await compile('hey.ts')).toBe('');
  });

  test('yields what the example in docs/api.md needs to ask and follow', async () => {
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const { ask } = await load('hey.ts');
    expect(await ask?.(`${t.url}/api`, token, t.projectId, 'Explain the database schema')).toEqual({
      reply: expect.stringContaining('database'),
      status: 'completed',
    });
  });
});

describe('the schemas of events', () => {
  const { schema } =
    document.paths['/projects/{projectId}/threads/{threadId}/runs/{runId}/events'].get.responses['200']
      .content['text/event-stream'];

  test('name the same events with the same data', () => {
    const { RunEvent, RunEventData } = document.components.schemas;
    const named = RunEvent.oneOf.map(({ properties: { event, data } }) => [event.const, data]);
    expect(Object.fromEntries(named)).toEqual(schema.$defs);
    const refs = Object.values(schema.$defs).map(({ $ref }) => $ref);
    expect(RunEventData.anyOf.map(({ $ref }) => $ref).toSorted()).toEqual([...new Set(refs)].toSorted());
  });
});
