import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import { demoProjectId } from '../../local/demo/demo.ts';
import { type Issuer, startIssuer } from '../../local/issuer.ts';
import { runCommand } from '../support/process.ts';
import { runScript } from '../support/runScript.ts';
import { useService } from '../support/useService.ts';

const audience = 'token-tests';
let folder: string;
let issuer: Issuer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-test-'));
  issuer = await startIssuer({ port: 0, audience, file: join(folder, 'issuer.json') });
});
afterAll(() => Promise.all([issuer.close(), rm(folder, { recursive: true, force: true })]));
const t = useService(() => ({ JWT_ISSUER: issuer.signer.issuer, JWT_AUDIENCE: audience }));

const environment = (dataDir: string) => ({
  HOME: dataDir,
  LOCAL_DATA_DIR: dataDir,
  LOCAL_SETTINGS_FILE: join(dataDir, 'local.settings.json'),
});

/** Runs the command in a terminal of its own, with the issuer that was started in a folder. */
const token = (args: readonly string[] = [], dataDir = folder) =>
  runScript('local/token.ts', args, environment(dataDir));

/** Prints a token and nothing else, so that a shell can take it. */
async function print(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await token(args);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  return stdout.trim();
}

const lifetime = ({ exp = 0, iat = 0 }) => exp - iat;

describe('npm run token', () => {
  test('prints a token for the demo project, good for a day', async () => {
    const claims = decodeJwt(await print());
    expect(claims).toEqual({
      iss: issuer.signer.issuer,
      aud: audience,
      sub: 'demo-user',
      projects: [demoProjectId],
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    expect(lifetime(claims)).toBe(86_400);
  });

  test('puts into it what is asked for', async () => {
    const claims = decodeJwt(
      await print('--project', 'p1', '--project', 'p2', '--sub', 'ada', '--expires-in', '90'),
    );
    expect(claims).toMatchObject({ sub: 'ada', projects: ['p1', 'p2'] });
    expect(lifetime(claims)).toBe(90);
  });

  test('can leave the projects out, so that only membership counts', async () => {
    const { projectId } = await t.addProject({ members: ['ada'] });
    const open = async (sub: string) =>
      t.call(`projects/${projectId}/threads`, {
        method: 'POST',
        token: await print('--project', '', '--sub', sub),
      });
    expect((await open('ada')).status).toBe(201);
    expect((await open('grace')).status).toBe(403);
  });

  test('prints what opens the project that it names, and no other', async () => {
    const [own, other] = await Promise.all([t.addProject(), t.addProject()]);
    const bearer = await print('--project', own.projectId);
    const open = ({ projectId }: { projectId: string }) =>
      t.call(`projects/${projectId}/threads`, { method: 'POST', token: bearer });
    expect((await open(own)).status).toBe(201);
    expect((await open(other)).status).toBe(403);
  });

  test.each([[['--expires-in=-1']], [['--expires-in', '-1']]])(
    'prints an expired token when the time is negative: %p',
    async (args) => {
      const { projectId } = await t.addProject();
      const bearer = await print('--project', projectId, ...args);
      const response = await t.call(`projects/${projectId}/threads`, { method: 'POST', token: bearer });
      expect([response.status, response.body.code]).toEqual([401, 'token_expired']);
    },
  );

  test('is what the package calls it', async () => {
    const npm = await runCommand(
      'npm',
      ['run', '--silent', 'token', '--', '--sub', 'ada'],
      environment(folder),
    );
    expect(npm.code).toBe(0);
    expect(decodeJwt(npm.stdout.trim()).sub).toBe('ada');
  });

  test('says what to do when no issuer was started yet', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'token-test-'));
    expect(await token([], empty)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no local issuer yet: run "npm start" once in this folder.\n',
    });
    await rm(empty, { recursive: true });
  });

  test.each(['soon', '1.5', ''])('refuses %p as a number of seconds', async (value) => {
    const { code, stdout, stderr } = await token(['--expires-in', value]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^--expires-in must be a whole number of seconds/);
  });

  test.each([
    ['an unknown option', ['--projects', 'p1'], '--projects'],
    ['an option without its value', ['--sub'], '--sub'],
    ['an argument without an option', ['p1'], 'p1'],
  ])('names %s in one line', async (_name, args, named) => {
    const { code, stdout, stderr } = await token(args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(named);
    expect(stderr).not.toContain('    at ');
  });
});

describe('the key that signs', () => {
  test('is readable by its owner only, and never published', async () => {
    expect((await stat(join(folder, 'issuer.json'))).mode & 0o777).toBe(0o600);
    const response = await fetch(`${issuer.signer.issuer}/keys`);
    const published = (await response.json()) as { keys: object[] };
    expect(published).toEqual({ keys: [expect.objectContaining({ kid: issuer.signer.key.kid })] });
    expect(issuer.signer.key).toHaveProperty('d');
    expect(published.keys[0]).not.toHaveProperty('d');
  });

  test('is kept over a restart, and replaced with its file', async () => {
    const file = join(folder, 'other', 'issuer.json');
    const start = async () => {
      const started = await startIssuer({ port: 0, audience, file });
      await started.close();
      return started.signer.key.kid;
    };
    const first = await start();
    expect(await start()).toBe(first);
    await rm(file);
    expect(await start()).not.toBe(first);
  });

  test('is not shown when its file is damaged', async () => {
    const damaged = await mkdtemp(join(tmpdir(), 'token-test-'));
    await writeFile(join(damaged, 'issuer.json'), JSON.stringify(issuer.signer).replace('"d":', '"d":"'));
    const { code, stdout, stderr } = await token([], damaged);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).not.toContain(issuer.signer.key.d);
    await rm(damaged, { recursive: true });
  });
});
