import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { projectFolder } from '../support/process.ts';
import { useService } from '../support/useService.ts';

const run = promisify(execFile);
const node = (args: string[]) => run(process.execPath, args, { cwd: projectFolder });

let folder: string;

beforeAll(async () => {
  await node(['scripts/package.ts']);
  // Away from the project, so that no node_modules is in reach.
  folder = await mkdtemp(join(tmpdir(), 'package-'));
  await cp(join(projectFolder, 'dist/package'), folder, { recursive: true });
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const t = useService({ CONSOLE: 'true' }, () => folder);

describe('the deployed package', () => {
  test('is the bundle and nothing else', async () => {
    const files = (await readdir(folder, { recursive: true })).sort();
    expect(files).toEqual([
      'dist',
      'dist/assistantsApi.cjs',
      'dist/busboy.cjs',
      'dist/console.cjs',
      'dist/identity.cjs',
      'dist/index.cjs',
      'dist/openai.cjs',
      'dist/storage.cjs',
      'host.json',
      'package.json',
    ]);
  });

  test('has the console', async () => {
    const response = await fetch(`${t.url}/api/console`);
    expect([response.status, await response.text()]).toEqual([
      200,
      expect.stringContaining('<title>Console'),
    ]);
  });

  test('passes the smoke test when it runs on its own', async () => {
    const { projectId } = await t.addProject();
    const token = await t.issuer.sign({ projects: [projectId] });
    const { stdout } = await node([
      'scripts/smoke.ts',
      '--base-url',
      t.url,
      '--token',
      token,
      '--project',
      projectId,
    ]);
    expect(stdout.match(/^ok/gm)).toHaveLength(9);
    expect(stdout).not.toContain('FAILED');
  });
});

describe('the smoke test', () => {
  /** How it ends against a service that returns this to every request, with the token from the environment. */
  const against = async (status: number, body?: unknown) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { 'Content-Type': body ? 'application/json' : 'text/plain' });
      response.end(body ? JSON.stringify(body) : '');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const args = ['scripts/smoke.ts', '--base-url', `http://127.0.0.1:${port}`, '--project', 'demo'];
    const env = { PATH: process.env['PATH'], SMOKE_TOKEN: 'a-token' };
    const ended = await run(process.execPath, args, { cwd: projectFolder, env }).catch((error) => error);
    server.close();
    return ended.code;
  };

  test('tells what may pass by itself from what will not', async () => {
    // The host alone has no code to tell: it has not loaded the package yet.
    const passing: [number, unknown?][] = [
      [404],
      [401],
      [502],
      [500, { code: 'internal_error' }],
      [503, { code: 'unavailable' }],
    ];
    for (const [status, body] of passing) expect([status, await against(status, body)]).toEqual([status, 75]);
    const lasting: [number, unknown][] = [
      [401, { code: 'unauthorized' }],
      [403, { code: 'access_denied' }],
      [400, {}],
    ];
    for (const [status, body] of lasting) expect([status, await against(status, body)]).toEqual([status, 1]);
    const args = [
      'scripts/smoke.ts',
      '--base-url',
      'http://127.0.0.1:9',
      '--project',
      'demo',
      '--token',
      'x',
    ];
    expect((await node(args).catch((error) => error)).code).toBe(75);
  });

  test('fails, naming the step, when a run fails', async () => {
    const { projectId } = await t.addProject();
    const token = await t.issuer.sign({ projects: [projectId] });
    await t.engine.outcome({ status: 'failed', code: 'server_error', message: 'secret detail' });
    const args = [
      'scripts/smoke.ts',
      '--base-url',
      `${t.url}/api/`,
      '--token',
      token,
      '--project',
      projectId,
    ];
    const failed = await node(args).catch((error) => error);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('FAILED  wait for the run to end: the run failed');
    const threads = await t.call(`projects/${projectId}/threads`, { token });
    expect(threads.body).toMatchObject({ threads: [] });
    expect(failed.stdout + failed.stderr).not.toContain(token);
  });

  test('fails when the service refuses the token, and explains its use', async () => {
    const { projectId } = await t.addProject();
    const refused = await node([
      ...['scripts/smoke.ts', '--base-url', t.url, '--token', 'x', '--project', projectId],
    ]).catch((error) => error);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('got 401 unauthorized, expected 201');
    const misused = await node(['scripts/smoke.ts']).catch((error) => error);
    expect([misused.code, misused.stderr]).toEqual([2, expect.stringContaining('Usage')]);
  });
});
