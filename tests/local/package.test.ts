import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
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
  await node(['local/package.ts']);
  // Away from the project, so that no node_modules is in reach.
  folder = await mkdtemp(join(tmpdir(), 'package-'));
  await cp(join(projectFolder, 'dist/package'), folder, { recursive: true });
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const t = useService({}, () => folder);

describe('the deployed package', () => {
  test('is the bundle and nothing else', async () => {
    const files = (await readdir(folder, { recursive: true })).sort();
    expect(files).toEqual([
      'dist',
      'dist/identity.cjs',
      'dist/index.cjs',
      'dist/openai.cjs',
      'dist/storage.cjs',
      'host.json',
      'package.json',
    ]);
  });

  test('passes the smoke test when it runs on its own', async () => {
    const { projectId } = await t.addProject();
    const token = await t.issuer.sign({ projects: [projectId] });
    const { stdout } = await node([
      'local/smoke.ts',
      '--base-url',
      t.url,
      '--token',
      token,
      '--project',
      projectId,
    ]);
    expect(stdout.match(/^ok/gm)).toHaveLength(6);
    expect(stdout).not.toContain('FAILED');
  });
});

describe('the smoke test', () => {
  test('fails, naming the step, when a run fails', async () => {
    const { projectId } = await t.addProject();
    const token = await t.issuer.sign({ projects: [projectId] });
    await t.engine.outcome({ status: 'failed', code: 'server_error', message: 'secret detail' });
    const args = ['local/smoke.ts', '--base-url', `${t.url}/api/`, '--token', token, '--project', projectId];
    const failed = await node(args).catch((error) => error);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain('FAILED  wait for the run to end: the run failed');
    expect(failed.stdout + failed.stderr).not.toContain(token);
  });

  test('fails when the service refuses the token, and explains its use', async () => {
    const { projectId } = await t.addProject();
    const refused = await node([
      ...['local/smoke.ts', '--base-url', t.url, '--token', 'x', '--project', projectId],
    ]).catch((error) => error);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('got 401 unauthorized, expected 201');
    const misused = await node(['local/smoke.ts']).catch((error) => error);
    expect([misused.code, misused.stderr]).toEqual([2, expect.stringContaining('Usage')]);
  });
});
