import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { projectFolder } from '../support/process.ts';

test('the app starts without the Assistants API', async () => {
  const script = `
    import { createRequire } from 'node:module';
    import { loadApp } from './local/host/app.ts';
    await loadApp('.');
    console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));
    process.exit();`;
  const args = ['--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: projectFolder });
  const loaded = (JSON.parse(stdout) as string[]).map((file) => basename(file));
  expect(loaded).toContain('index.cjs');
  expect(loaded).not.toContain('assistantsApi.cjs');
});

test('the bundle of the Assistants API shares the app’s modules, and has no package in it', async () => {
  const bundle = await readFile(join(projectFolder, 'dist/assistantsApi.cjs'), 'utf8');
  expect(bundle).toContain('shared["shared/errors.ts"]');
  expect(bundle.length).toBeLessThan(100_000);
});
