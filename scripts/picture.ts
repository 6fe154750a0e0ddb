import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { projectFolder } from '../local/localSettings.ts';
import { startBrowser } from '../tests/support/browser.ts';

/*
 * `npm run picture`: takes the picture in the README, docs/console.png, of the console of a service that it
 * starts with fresh data.
 */
const file = join(projectFolder, 'docs/console.png');

const data = await mkdtemp(join(tmpdir(), 'picture-'));
const service = spawn(process.execPath, ['local/start.ts'], {
  cwd: projectFolder,
  env: { ...process.env, PORT: '0', LOCAL_DATA_DIR: data, LOCAL_PROJECTS_FILE: join(data, 'projects.json') },
  stdio: ['ignore', 'pipe', 'ignore'],
});
const ended = once(service, 'exit');
const browser = await startBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  await page.goto(await addressOf(service.stdout));
  for (const [question, reply] of [
    ['Get the build status of main', '.call textarea'],
    ['What does the deployment take?', '.sources'],
    ['Can you help me understand the authentication flow in this project?', '.sources'],
  ] as const) {
    await page.locator('button', { hasText: 'New' }).click();
    await ask(page, question, reply);
  }
  await page.locator('.timeline', { hasText: 'Completed' }).waitFor();
  await page.locator('.timeline', { hasText: 'File search' }).waitFor();
  await page.screenshot({ path: file });
  console.log(`Wrote ${file}`);
} finally {
  await browser.close();
  service.kill('SIGTERM');
  await ended;
  await rm(data, { recursive: true, force: true });
}

/** Returns the address that `npm start` prints first. */
async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    output.setEncoding('utf8').on('data', (piece) => {
      text += piece;
      const address = /The console: (\S+)/.exec(text)?.[1];
      if (address !== undefined) resolve(address);
    });
    void ended.then(() => reject(new Error(`The service ended:\n${text}`)));
  });
}

/** Posts a message and waits for what it leads to. */
async function ask(page: Page, question: string, reply: string): Promise<void> {
  const box = page.getByRole('textbox', { name: 'Message' });
  await box.fill(question);
  await box.press('Enter');
  await page.locator(reply).waitFor();
}
