import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pixel } from '../support/form.ts';
import { runCommand } from '../support/process.ts';
import { runScript } from '../support/runScript.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let folder: string;
let projectId: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'documents-test-'));
  projectId = (await t.addProject({ editors: ['ada'] })).projectId;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content);

/** Those of the service under test, and none of this machine's. */
const settings = () => ({
  ...t.settings,
  LOCAL_SETTINGS_FILE: join(`${folder}-none`, 'local.settings.json'),
  LOCAL_DATA_DIR: `${folder}-none`,
});

const sync = (...options: string[]) =>
  runScript('scripts/documents.ts', ['sync', '--project', projectId, folder, ...options], settings());

const documents = async (): Promise<{ name: string; documentId: string }[]> => {
  const token = await t.issuer.sign({ sub: 'ada', projects: [projectId] });
  return (await t.call(`projects/${projectId}/documents`, { token })).body.documents;
};

const names = async () => (await documents()).map(({ name }) => name).sort();

describe('npm run documents -- sync', () => {
  test('makes the documents those of the folder: adds, replaces what differs, removes', async () => {
    await mkdir(join(folder, 'sub'));
    await Promise.all([
      write('a.md', '# A'),
      write('b.md', '# B'),
      write('sub/c.md', '# C'),
      write('.hidden', 'x'),
    ]);
    expect(await sync('--dry-run')).toEqual({
      code: 0,
      stdout: 'add a.md\nadd b.md\nadd sub_c.md\n0 unchanged\n',
      stderr: '',
    });
    expect(await documents()).toEqual([]);
    expect(await sync()).toMatchObject({ code: 0, stdout: expect.stringMatching(/0 unchanged\n3 ready\n$/) });
    expect(await names()).toEqual(['a.md', 'b.md', 'sub_c.md']);

    const before = await documents();
    await write('a.md', '# A, better');
    await rm(join(folder, 'b.md'));
    expect(await sync()).toMatchObject({
      code: 0,
      stdout: 'replace a.md\nremove b.md\n1 unchanged\n1 ready\n',
    });
    expect(await names()).toEqual(['a.md', 'sub_c.md']);
    const same = (await documents()).filter(({ documentId }) =>
      before.some((document) => document.documentId === documentId),
    );
    expect(same.map(({ name }) => name)).toEqual(['sub_c.md']);
    expect(await sync()).toEqual({ code: 0, stdout: '2 unchanged\n', stderr: '' });
  }, 60_000);

  test('that is interrupted is completed by the next one', async () => {
    await Promise.all([write('a.md', '# A'), write('b.md', '# B')]);
    await t.engine.fault({ method: 'POST', path: '/v1/files', exact: true }, { kind: 'status', status: 500 });
    const stopped = await sync();
    expect(stopped).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Run it again to complete it.'),
    });
    expect(await sync()).toMatchObject({ code: 0 });
    expect(await names()).toEqual(['a.md', 'b.md']);

    // The replaced document is left beside its successor.
    await write('a.md', '# A, better');
    await t.engine.fault({ method: 'DELETE', path: '/v1/files' }, { kind: 'status', status: 500 });
    expect(await sync()).toMatchObject({ code: 1 });
    expect(await names()).toEqual(['a.md', 'a.md', 'b.md']);
    expect(await sync()).toMatchObject({ code: 0, stdout: 'remove a.md\n2 unchanged\n' });
    expect(await names()).toEqual(['a.md', 'b.md']);
  }, 60_000);

  test('changes nothing if a file is not acceptable, and names all that are not', async () => {
    await Promise.all([write('a.md', '# A'), write('b.png', pixel), write('c.exe', 'MZ'), write('d.md', '')]);
    const { code, stderr } = await sync();
    expect(code).toBe(1);
    for (const name of ['b.png', 'c.exe', 'd.md']) expect(stderr).toContain(name);
    expect(stderr).not.toContain('a.md');
    expect(await documents()).toEqual([]);
  });

  test('says what is wrong with its arguments', async () => {
    projectId = 'nosuch';
    expect(await sync()).toEqual({ code: 1, stdout: '', stderr: 'Project nosuch does not exist.\n' });
    const { code, stderr } = await runCommand(process.execPath, ['scripts/documents.ts', 'sync'], settings());
    expect([code, stderr]).toEqual([1, expect.stringContaining('Usage:')]);
  });
});
