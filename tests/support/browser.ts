import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { projectFolder } from './process.ts';

/** Where systems install it. */
const systemBrowsers = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/**
 * Starts Chromium without a window: the machine's own, else the one in the npm package, which is for Linux on x64. Start one
 * browser a file at most, with a context a test, and close it after the tests.
 */
export async function startBrowser(): Promise<Browser> {
  const system = systemBrowsers.find((path) => existsSync(path));
  const unpacked = system ? undefined : await unpackChromium();
  return chromium.launch({
    executablePath: system ?? join(unpacked ?? '', 'chromium'),
    // Containers run as root and have a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--font-render-hinting=none'],
    ...(unpacked && { env: { ...process.env, FONTCONFIG_PATH: join(unpacked, 'fonts') } }),
  });
}

/**
 * Unpacks the package's Chromium, once a version. The package itself unpacks to a fixed path, where another process would
 * find half a browser; so it gets a folder of its own, which is renamed when it is whole.
 * @returns the folder.
 */
async function unpackChromium(): Promise<string> {
  const modules = join(projectFolder, 'node_modules');
  const { version } = JSON.parse(
    await readFile(join(modules, '@sparticuz/chromium/package.json'), 'utf8'),
  ) as { version: string };
  const folder = join(modules, '.cache', `chromium-${version}`);
  if (existsSync(folder)) return folder;
  await mkdir(join(modules, '.cache'), { recursive: true });
  const whole = await mkdtemp(`${folder}-`);
  const code = "import chromium from '@sparticuz/chromium'; await chromium.executablePath();";
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: projectFolder,
    env: { ...process.env, TMPDIR: whole },
  });
  // Another worker may have been faster.
  await rename(whole, folder).catch(() => rm(whole, { recursive: true, force: true }));
  return folder;
}
