import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { startBrowser } from '../support/browser.ts';
import { bareEnv, projectFolder } from '../support/process.ts';
import { replies, say } from '../support/useConsole.ts';

/* The console that `npm start` serves at `/`. */

let folder: string;
let browser: Browser;
let url: string;
let end: () => Promise<unknown>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'console-test-'));
  const child = spawn(process.execPath, ['local/start.ts'], {
    cwd: projectFolder,
    env: {
      ...bareEnv(),
      PORT: '0',
      LOCAL_DATA_DIR: folder,
      LOCAL_SETTINGS_FILE: join(folder, 'local.settings.json'),
      LOCAL_PROJECTS_FILE: join(folder, 'projects.json'),
      LOCAL_ASSISTANTS_DIR: join(folder, 'assistants'),
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  end = () => {
    child.kill('SIGTERM');
    return once(child, 'exit');
  };
  let output = '';
  await new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (output.includes('Press Ctrl-C to stop')) resolve();
    });
  });
  // The first thing that it prints.
  url = /^\s*The console: (http:\/\/127\.0\.0\.1:\d+\/) /.exec(output)?.[1] ?? '';
  browser = await startBrowser();
}, 120_000);
afterAll(async () => {
  await Promise.all([browser?.close(), end?.()]);
  await rm(folder, { recursive: true, force: true });
});

const session = (headers: Record<string, string>) =>
  fetch(`${url}console/session`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: '{}',
  });

test('the page is signed in to the demo project, and gets another token when one is refused', async () => {
  const page = await browser.newPage();
  page.setDefaultTimeout(25_000);
  const problems: string[] = [];
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.goto(url);
  await page.locator('.threads li').first().waitFor();
  await say(page, 'How does the authentication flow work?');
  await page.locator('.sources').waitFor();
  expect(problems).toEqual([]);

  let sessions = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/console/session')) sessions += 1;
  });
  await page.route('**/runs', (route) => route.fulfill({ status: 401, json: { code: 'token_expired' } }), {
    times: 1,
  });
  await say(page, 'Hello');
  await replies(page).nth(1).waitFor();
  expect(sessions).toBe(1);
  expect(problems).toEqual([expect.stringContaining('401')]);
  await page.close();
});

test('tokens are given to the own page only', async () => {
  const { origin, host, port } = new URL(url);
  expect((await session({ Origin: origin })).status).toBe(200);
  for (const headers of [
    {},
    { Origin: 'https://example.com' },
    { Origin: origin, 'Content-Type': 'text/plain' },
  ]) {
    const response = await session(headers);
    expect([headers, response.status, await response.text()]).toEqual([headers, 403, '']);
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull();
  }
  // A name that leads to this machine; fetch would not send another Host.
  const rebound = await request(Number(port), `attacker.example:${port}`);
  expect([rebound, await request(Number(port), host)]).toEqual([403, 200]);
});

/** Asks for a session by another name of the machine, as a page of that name would. @returns the status. */
function request(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { Host: host, Origin: `http://${host}`, 'Content-Type': 'application/json' };
    httpRequest(
      { port, host: '127.0.0.1', path: '/console/session', method: 'POST', headers },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    )
      .once('error', reject)
      .end('{}');
  });
}
