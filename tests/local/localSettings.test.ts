import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findSettings, readLocalSettings, runningSettingsFile } from '../../local/localSettings.ts';
import { lockFolder } from '../../local/lock.ts';

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'local-settings-test-'));
  file = join(folder, 'settings.json');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = (content: unknown) =>
  writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));

describe('readLocalSettings', () => {
  test('completes the environment with the values of the file', async () => {
    await write({
      IsEncrypted: false,
      Values: { A: 'file', B: 'file', C: '', PORT: 7080 },
      Host: { D: 'x' },
    });
    expect(readLocalSettings({ LOCAL_SETTINGS_FILE: file, A: 'env', B: ' ' })).toEqual({
      LOCAL_SETTINGS_FILE: file,
      A: 'env',
      B: 'file',
      PORT: '7080',
    });
  });

  test('is the environment where there is no file', () => {
    const env = { LOCAL_SETTINGS_FILE: join(folder, 'none.json'), A: 'env' };
    expect(readLocalSettings(env)).toEqual(env);
  });

  test.each([
    ['no JSON', '{"Values": {"OPENAI_API_KEY": "secret",', 'is not a JSON object.'],
    ['no object', '"secret"', 'is not a JSON object.'],
    [
      'encrypted',
      { IsEncrypted: true, Values: { A: 'secret' } },
      'is encrypted; run "func settings decrypt".',
    ],
  ])('names a file that is %s, and quotes nothing of it', async (_name, content, message) => {
    await write(content);
    expect(() => readLocalSettings({ LOCAL_SETTINGS_FILE: file })).toThrow(new Error(`${file} ${message}`));
  });
});

describe('findSettings', () => {
  test('prefers the environment to the running service, and that to the file', async () => {
    await write({ Values: { A: 'file', B: 'file', C: 'file', LOCAL_DATA_DIR: folder } });
    await writeFile(runningSettingsFile(folder), JSON.stringify({ A: 'running', B: 'running' }));
    const env = { LOCAL_SETTINGS_FILE: file, A: 'env' };
    const unlock = await lockFolder(folder);
    expect(findSettings(env)).toMatchObject({ A: 'env', B: 'running', C: 'file' });
    await unlock();
    expect(findSettings(env)).toMatchObject({ A: 'env', B: 'file', C: 'file' });
  });
});
