import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  findSettings,
  projectFolder,
  readLocalSettings,
  readStartSettings,
  runningSettingsFile,
} from '../../local/localSettings.ts';
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

  test('takes all that names one service from one source, so that no key reaches another service', async () => {
    const file1 = {
      OPENAI_BASE_URL: 'https://one.example/v1',
      OPENAI_API_KEY: 'one',
      TABLES_CONNECTION_STRING: 'one',
    };
    await write({ Values: file1 });
    const env = {
      LOCAL_SETTINGS_FILE: file,
      OPENAI_BASE_URL: 'https://two.example/v1',
      TABLES_ENDPOINT: 'two',
    };
    expect(readLocalSettings(env)).toEqual(env);
    expect(readLocalSettings({ LOCAL_SETTINGS_FILE: file, OPENAI_API_KEY: 'two' })).toEqual({
      ...file1,
      LOCAL_SETTINGS_FILE: file,
      OPENAI_API_KEY: 'two',
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

test('readStartSettings leaves out the dev services of the sample, which npm start provides', async () => {
  await copyFile(join(projectFolder, 'local.settings.sample.json'), file);
  const sample = readLocalSettings({ LOCAL_SETTINGS_FILE: file });
  for (const name of ['JWT_ISSUER', 'OPENAI_BASE_URL', 'TABLES_CONNECTION_STRING', 'ASSISTANTS']) {
    expect(sample).toHaveProperty(name);
    expect(readStartSettings({ LOCAL_SETTINGS_FILE: file })).not.toHaveProperty(name);
  }
  await write({ Values: { ...sample, OPENAI_BASE_URL: 'https://engine.example/v1', OPENAI_API_KEY: 'key' } });
  expect(readStartSettings({ LOCAL_SETTINGS_FILE: file })).toMatchObject({
    OPENAI_BASE_URL: 'https://engine.example/v1',
    OPENAI_API_KEY: 'key',
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
