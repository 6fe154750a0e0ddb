import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '../../local/azurite.ts';
import { parseConfig } from '../../shared/config.ts';
import { createProjectStore, type ProjectStore } from '../../shared/storage/projectStore.ts';
import { lazyTable } from '../../shared/storage/tables.ts';
import { type EndedCommand, runCommand } from '../support/process.ts';
import { runScript } from '../support/runScript.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let store: ProjectStore;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'projects-test-'));
  const { tables } = parseConfig(t.settings);
  store = createProjectStore(lazyTable(tables, 'projects'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the command with the service's own settings, but for those given. */
const projects = (args: readonly string[], settings: Record<string, string> = {}) =>
  runScript('scripts/projects.ts', args, {
    LOCAL_SETTINGS_FILE: join(folder, 'local.settings.json'),
    LOCAL_DATA_DIR: folder,
    ...t.settings,
    ...settings,
  });

/** Applies what is given as the file's content: JSON unless it is a string. */
async function apply(content: unknown, settings: Record<string, string> = {}): Promise<EndedCommand> {
  const file = join(folder, `${randomUUID()}.json`);
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return projects(['apply', file], settings);
}

/** The stored projects with these ids; other test files keep theirs in the same store. */
async function list(...projectIds: string[]): Promise<unknown[]> {
  const { code, stdout } = await projects(['list']);
  expect(code).toBe(0);
  return JSON.parse(stdout).filter(({ projectId }: { projectId: string }) => projectIds.includes(projectId));
}

const record = (changed: Record<string, unknown> = {}) => ({
  projectId: randomUUID(),
  name: 'Atlas',
  assistantId: 'asst_test',
  ...changed,
});

describe('npm run projects', () => {
  test('applies the projects of a file, lists them and removes one', async () => {
    const full = record({
      members: ['ada'],
      groups: ['builders'],
      instructions: 'Be brief.',
      vectorStoreIds: ['vs_own'],
    });
    const plain = record({ name: 'Boreas', assistantId: 'asst_second' });
    expect(await apply([full, plain])).toEqual({
      code: 0,
      stdout: `applied ${full.projectId} (Atlas)\napplied ${plain.projectId} (Boreas)\n`,
      stderr: '',
    });
    const stored = await list(full.projectId, plain.projectId);
    expect(stored).toHaveLength(2);
    expect(stored).toEqual(expect.arrayContaining([full, { ...plain, members: [], groups: [] }]));

    expect(await projects(['remove', full.projectId])).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        `^removed ${full.projectId}\nWhat remains in the engine: [^]*It had no documents`,
      ),
      stderr: '',
    });
    expect(await list(full.projectId, plain.projectId)).toEqual([{ ...plain, members: [], groups: [] }]);
  });

  test('replaces a whole record when it is applied again', async () => {
    const { projectId } = await t.addProject({
      members: ['ada'],
      instructions: 'Be brief.',
      vectorStoreIds: ['vs_own'],
    });
    expect((await apply([record({ projectId, name: 'Atlas II' })])).code).toBe(0);
    const after = record({ projectId, name: 'Atlas II', members: [], groups: [] });
    expect(await store.find(projectId)).toEqual(after);
  });

  test('makes a project that its members can use, and the others cannot', async () => {
    const { projectId, ...rest } = record({ members: ['ada'], groups: ['builders'] });
    expect((await apply([{ projectId, ...rest }])).code).toBe(0);
    const open = async (claims: Record<string, unknown>) => {
      const token = await t.issuer.sign(claims);
      return t.call(`projects/${projectId}/threads`, { method: 'POST', token });
    };
    expect((await open({ sub: 'ada' })).status).toBe(201);
    expect((await open({ sub: 'grace', groups: ['builders'] })).status).toBe(201);
    expect((await open({ sub: 'grace' })).status).toBe(403);
  });

  test('is what the package calls it', async () => {
    const { projectId } = await t.addProject();
    const settings = { ...t.settings, HOME: folder, LOCAL_DATA_DIR: folder };
    const npm = await runCommand('npm', ['run', '--silent', 'projects', '--', 'remove', projectId], settings);
    expect(npm).toEqual({ code: 0, stdout: expect.stringMatching(`^removed ${projectId}\n`), stderr: '' });
  });

  test('says so when there is no project to remove', async () => {
    expect(await projects(['remove', 'nosuch'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Project nosuch does not exist.\n',
    });
  });

  test.each([
    ['no command', []],
    ['an unknown command', ['delete', 'x']],
    ['apply without a file', ['apply']],
    ['list with an argument', ['list', 'x']],
  ])('shows how it is used after %s', async (_name, args) => {
    const { code, stdout, stderr } = await projects(args);
    expect([code, stdout]).toEqual([1, '']);
    for (const line of ['apply FILE.json', 'list', 'remove ID']) {
      expect(stderr).toContain(`npm run projects -- ${line}`);
    }
  });
});

describe('npm run projects -- apply refuses', () => {
  const valid = record();

  test.each<[string, Record<string, unknown>[], string[]]>([
    [
      'what the schema does not allow',
      [
        record({ owner: 'ada' }),
        record({ name: undefined }),
        record({ members: 'ada' }),
        record({ projectId: 'a/b' }),
      ],
      [
        '/1 has an unknown field "owner"',
        "/2 must have required property 'name'",
        '/3/members must be array',
        '/4/projectId must match pattern',
      ],
    ],
    [
      'an id that is there twice and an assistant that is not configured',
      [record({ projectId: valid.projectId }), record({ projectId: 'p', assistantId: 'asst_gone' })],
      [`${valid.projectId} is listed twice`, 'p: ASSISTANTS has no assistant "asst_gone"'],
    ],
  ])('%s, names each fault, and writes nothing', async (_case, faulty, faults) => {
    const { code, stdout, stderr } = await apply([valid, ...faulty]);
    expect([code, stdout]).toEqual([1, '']);
    const [first, ...lines] = stderr.trimEnd().split('\n');
    expect(first).toBe('The projects are not valid:');
    expect(lines).toEqual(faults.map((fault) => expect.stringContaining(`  - ${fault}`)));
    for (const { projectId } of [valid, ...faulty]) {
      if (projectId !== 'a/b') expect(await store.find(String(projectId))).toBeUndefined();
    }
  });

  test.each<[string, unknown, string]>([
    ['an object', record(), 'the file must be array'],
    ['text that is not JSON', '[{]', 'cannot be read as JSON'],
  ])('a file with %s', async (_case, content, fault) => {
    const { code, stdout, stderr } = await apply(content);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(fault);
    expect(stderr).not.toContain('    at ');
  });

  test('a file that does not exist, naming it', async () => {
    const file = join(folder, 'nosuch.json');
    const { code, stderr } = await projects(['apply', file]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} cannot be read`);
    expect(stderr).not.toContain('    at ');
  });
});

describe('npm run projects in the cloud', () => {
  test('waits for its token as long as az takes, which is longer than one round trip may', async () => {
    const az = join(folder, 'az');
    const token = { accessToken: 'e30.e30.x', expires_on: 4_070_908_800, tokenType: 'Bearer' };
    await writeFile(az, `#!/bin/sh\nsleep 5\necho '${JSON.stringify(token)}'\n`, { mode: 0o755 });
    const file = join(folder, 'valid.json');
    await writeFile(file, JSON.stringify([record()]));
    const settings = {
      TABLES_CONNECTION_STRING: '',
      TABLES_ENDPOINT: `https://127.0.0.1:${await freePort()}`,
      AZURE_TOKEN_CREDENTIALS: 'AzureCliCredential',
      PATH: `${folder}:${process.env['PATH']}`,
    };
    const { code, stderr } = await projects(['apply', file], settings);
    // The token was there, and nothing but the store was missing.
    expect([code, stderr]).toEqual([1, expect.stringContaining('ECONNREFUSED')]);
  }, 60_000);

  test('says what to do without a token', async () => {
    const { code, stderr } = await projects(['list'], {
      TABLES_CONNECTION_STRING: '',
      TABLES_ENDPOINT: `https://127.0.0.1:${await freePort()}`,
      AZURE_TOKEN_CREDENTIALS: 'AzureCliCredential',
    });
    expect([code, stderr]).toEqual([1, 'No token for storage within 60 s: sign in with "az login".\n']);
  }, 60_000);
});

describe('npm run projects with settings that do not work', () => {
  test('names every setting of its own that is missing or malformed, and no other', async () => {
    const { code, stdout, stderr } = await projects(['list'], {
      JWT_AUDIENCE: '',
      TABLES_CONNECTION_STRING: '',
      ASSISTANTS: '[]',
    });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).not.toContain('JWT_AUDIENCE');
    expect(stderr).toContain('TABLES_ENDPOINT (or TABLES_CONNECTION_STRING) is missing');
    expect(stderr).toContain('ASSISTANTS must be a JSON array');
    expect(stderr).toContain('npm start');
  });

  test('reads local.settings.json for what the environment does not have', async () => {
    const { TABLES_CONNECTION_STRING = '', ASSISTANTS = '' } = t.settings;
    const file = join(folder, 'settings.json');
    await writeFile(file, JSON.stringify({ Values: { TABLES_CONNECTION_STRING, ASSISTANTS } }));
    const { projectId } = await t.addProject();
    const environment = { LOCAL_SETTINGS_FILE: file, LOCAL_DATA_DIR: folder };
    const args = ['scripts/projects.ts', 'remove', projectId];
    const { code, stdout, stderr } = await runCommand(process.execPath, args, environment);
    expect([code, stdout.split('\n')[0], stderr]).toEqual([0, `removed ${projectId}`, '']);
  });

  /** A connection string with the secret `c2VjcmV0`. */
  const connectionString = (port: number) =>
    [
      'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=c2VjcmV0',
      `TableEndpoint=http://127.0.0.1:${port}/devstoreaccount1`,
    ].join(';');

  test.each<[string, string, () => Promise<string>]>([
    ['the store is away', 'ECONNREFUSED', async () => connectionString(await freePort())],
    ['its key is wrong', '403', async () => connectionString(t.store.port)],
  ])('tells that %s, without a secret', async (_case, reason, choose) => {
    const changed = { TABLES_CONNECTION_STRING: await choose() };
    const file = join(folder, 'valid.json');
    await writeFile(file, JSON.stringify([record()]));
    const commands = [['list'], ['apply', file], ['remove', 'p']];
    for (const { code, stdout, stderr } of await Promise.all(
      commands.map((args) => projects(args, changed)),
    )) {
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^Cannot use the table storage \(.+\)\.\n$/);
      expect(stderr).toContain(reason);
      expect(stderr).not.toContain('c2VjcmV0');
    }
  });
});
