import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseConfig, settingNames } from '../../shared/config.ts';

const root = join(import.meta.dirname, '../..');
const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));

/** What host and worker read themselves. */
const runtime = ['FUNCTIONS_REQUEST_BODY_SIZE_LIMIT', 'languageWorkers__node__arguments'];
/** What Core Tools itself wants among the values. */
const coreTools = ['FUNCTIONS_WORKER_RUNTIME', 'AzureWebJobsStorage', ...runtime];

describe('local.settings.sample.json', () => {
  const { IsEncrypted, Values } = readJson('local.settings.sample.json');

  test('names every setting of the configuration, and no other', () => {
    expect(Object.keys(Values).sort()).toEqual([...coreTools, ...settingNames].sort());
    expect(IsEncrypted).toBe(false);
  });

  test('holds text only, as app settings do', () => {
    for (const value of Object.values(Values)) expect(typeof value).toBe('string');
  });

  test('is a usable configuration', () => {
    expect(parseConfig(Values).jwt.audience).toBe(Values.JWT_AUDIENCE);
  });

  test("has the demo's assistant, so that `func start` answers like `npm start`", () => {
    const { $schema, ...assistant } = readJson('local/demo/assistant.json');
    expect(JSON.parse(Values.ASSISTANTS)).toEqual([assistant]);
  });
});

describe('the Bicep files', () => {
  const bicep = globSync('infra/**/*.bicep', { cwd: root })
    .map((path) => readFileSync(join(root, path), 'utf8'))
    .join('\n')
    .replaceAll(/^ *\/\/.*$/gm, '');
  /** Outputs are spelled like settings, but are none. */
  const named = [
    ...bicep.replaceAll(/^output .*$/gm, '').matchAll(/(?<![\w'.])'?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)'?:/g),
  ];
  const settings = new Set(named.flatMap(([, name]) => (name ? [name] : [])));
  const platform = [
    'APPLICATIONINSIGHTS_CONNECTION_STRING',
    'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
    'AZURE_CLIENT_ID',
    ...runtime,
  ];

  test('set no setting that the configuration does not know, besides those of the platform', () => {
    const known: readonly string[] = [...settingNames, ...platform];
    expect([...settings].filter((name) => !known.includes(name))).toEqual([]);
  });

  test('set every setting but those that another one replaces in the cloud', () => {
    const replaced = ['OPENAI_API_KEY', 'TABLES_CONNECTION_STRING', 'QUEUES_CONNECTION_STRING'];
    const missing = settingNames.filter((name) => !settings.has(name) && !replaced.includes(name));
    expect(missing).toEqual([]);
  });
});
