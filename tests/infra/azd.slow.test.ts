import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { projectFolder } from '../support/process.ts';
import { runWithStandIns } from './standIns.ts';

/** The script of a hook in azure.yaml, as a POSIX machine runs it. */
function hook(name: string): string {
  const text = readFileSync(join(projectFolder, 'azure.yaml'), 'utf8');
  const [, script] = new RegExp(`^ +${name}:\\n +posix:\\n +shell: sh\\n +run: (.*)$`, 'm').exec(text) ?? [];
  if (!script) throw new Error(`azure.yaml has no hook ${name}`);
  return script;
}

/*
 * A clean clone, and then what azd does there, in its order (azure-dev, cli/azd/internal/cmd/up_graph.go and
 * pkg/project/framework_service_node.go): preprovision, npm install, prepackage, npm run build, predeploy, postdeploy.
 */
describe('azd up in a clean clone', () => {
  let clone: string;
  let npm: string;
  const files = (folder: string) => readdirSync(join(clone, folder), { recursive: true }).map(String).sort();
  const run = (script: string, env: Record<string, string> = {}) =>
    runWithStandIns('sh', ['-ec', script], { cwd: clone, env });

  beforeAll(() => {
    clone = mkdtempSync(join(tmpdir(), 'clone-'));
    const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: projectFolder,
      encoding: 'utf8',
    });
    for (const file of tracked.split('\0').filter((path) => path && !path.startsWith('tests/'))) {
      mkdirSync(join(clone, dirname(file)), { recursive: true });
      cpSync(join(projectFolder, file), join(clone, file));
    }
    // The real npm, which the stand-in hides.
    npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim();
  });
  afterAll(() => rmSync(clone, { recursive: true }));

  test('lists the assistants and looks at the subscription before anything is installed', async () => {
    const { code, stdout, stderr } = await run(hook('preprovision'), { STAND_IN_CLOUD: '{}' });
    expect(files('.').filter((file) => file.startsWith('node_modules'))).toEqual([]);
    expect(stdout).toContain('1 assistant(s), all valid');
    // Without variables the look at the subscription fails, by name and not for want of a package.
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toContain('FAILED  Parameters: the environment is called ""');
  });

  test('still has the package after the build that azd runs on top of it', async () => {
    symlinkSync(join(projectFolder, 'node_modules'), join(clone, 'node_modules'));
    const env = {
      PATH: `${join(projectFolder, 'node_modules/.bin')}:${dirname(npm)}:${process.env['PATH']}`,
    };
    expect(hook('prepackage')).toBe('npm run package');
    const packaged = await run(hook('prepackage'), env);
    expect([packaged.code, packaged.stderr]).toEqual([0, '']);
    const before = files('dist/package');
    const built = await run('npm run build', env);
    expect([built.code, built.stderr]).toEqual([0, '']);
    expect(files('dist/package')).toEqual(before);
    expect(before).toEqual(expect.arrayContaining(['host.json', 'package.json', 'dist/index.cjs']));
  }, 120_000);

  test('has the platform take the package as it is', () => {
    const text = readFileSync(join(clone, 'azure.yaml'), 'utf8');
    expect(text).toMatch(/^ {4}dist: dist\/package$/m);
    expect(text).toMatch(/^ {4}remoteBuild: false$/m);
    // With this file azd would read the choice from it.
    expect(files('.')).not.toContain('.funcignore');
  });

  test('waits with the package until the roles count, and only the first time', async () => {
    const outputs = { AZURE_SUBSCRIPTION_ID: 'subscription', AZURE_RESOURCE_GROUP: 'rg-sample' };
    const created = new Date(Date.now() - 10 * 60_000 + 8_000).toISOString();
    const cloud = (rolesCreatedOn: string) => ({
      ...outputs,
      STAND_IN_CLOUD: JSON.stringify({ rolesCreatedOn }),
    });
    const first = await run(hook('predeploy'), cloud(created));
    expect([first.code, first.stdout]).toEqual([0, expect.stringMatching(/waiting \d s, this once/)]);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(created) + 10 * 60_000);
    const later = await run(hook('predeploy'), cloud('2026-01-01T00:00:00Z'));
    expect([later.code, later.stdout]).toEqual([0, 'All roles are old enough to count.\n']);
  }, 60_000);

  test('applies the projects and runs the smoke test in the end, with the token of whoever is signed in', async () => {
    const { code, stdout, calls } = await run(hook('postdeploy'), {
      AZURE_SUBSCRIPTION_ID: 'subscription',
      AZURE_RESOURCE_GROUP: 'rg-sample',
      TABLES_ENDPOINT: 'https://tables.example.com/',
      QUEUES_ENDPOINT: 'https://queues.example.com/',
      SERVICE_BASE_URL: 'https://func.example.com',
      JWT_AUDIENCE: 'api',
      SMOKE_PROJECT_ID: 'demo',
    });
    expect(code).toBe(0);
    expect(calls.filter((call) => !call.includes('roleAssignments'))).toEqual([
      'npm run --silent projects -- apply infra/projects.json',
      'az account get-access-token --scope api/.default --query accessToken --output tsv',
      'npm run --silent smoke -- --base-url https://func.example.com --project demo',
    ]);
    expect(stdout + calls.join()).not.toContain('token-of-the-caller');
  });
});
