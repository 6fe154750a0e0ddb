import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { startBrowser } from './browser.ts';
import { projectFolder } from './process.ts';
import { type ServiceUnderTest, useService } from './useService.ts';

export interface ConsoleUnderTest extends ServiceUnderTest {
  /** Opens the console's page in a browser profile of its own, unless one is given, without signing in. */
  openPage(options?: BrowserContextOptions): Promise<Page>;
  /** Signs in to the project by the form. Resolves when the message box is there. */
  signIn(page: Page, token?: string): Promise<void>;
  /** Opens the page and signs in. */
  open(options?: BrowserContextOptions): Promise<Page>;
  /** Signs a token for the project. */
  token(claims?: Record<string, unknown>): Promise<string>;
  /** Lets the browser report failed requests, which a test causes on purpose. */
  expectFailedRequests(): void;
}

const startMs = 120_000;

/**
 * Starts a service with the demo's assistant and the console, and a browser. After each test, expects that no page had an
 * error, wrote one to its console, or opened a dialog of the browser.
 */
export function useConsole(): ConsoleUnderTest {
  const t = useService(async () => {
    const demo = JSON.parse(await readFile(`${projectFolder}/local/demo/assistant.json`, 'utf8'));
    return { CONSOLE: 'true', ASSISTANTS: JSON.stringify([{ ...demo, id: 'asst_test' }]) };
  });
  let browser: Browser;
  let problems: string[] = [];
  let expectsFailures = false;
  beforeAll(async () => {
    browser = await startBrowser();
  }, startMs);
  afterAll(() => browser?.close());
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    const found = problems.filter((text) => !expectsFailures || !/Failed to load resource/.test(text));
    problems = [];
    expectsFailures = false;
    expect(found).toEqual([]);
  });

  const own: Omit<ConsoleUnderTest, keyof ServiceUnderTest> = {
    async openPage(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      context.setDefaultTimeout(25_000);
      const page = await context.newPage();
      page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
      page.on('dialog', (dialog) => {
        problems.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
      });
      await page.goto(`${t.url}/api/console`);
      return page;
    },
    async signIn(page, token) {
      await page.getByLabel('Access token').fill(token ?? (await own.token()));
      await page.getByLabel('Project id').fill(t.projectId);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('textbox', { name: 'Message' }).waitFor();
    },
    async open(options) {
      const page = await own.openPage(options);
      await own.signIn(page);
      return page;
    },
    token: (claims = {}) => t.issuer.sign({ projects: [t.projectId], ...claims }),
    expectFailedRequests() {
      expectsFailures = true;
    },
  };
  return Object.assign(t, own);
}

/** Sends a message by the keyboard. */
export async function say(page: Page, message: string): Promise<void> {
  const box = page.getByRole('textbox', { name: 'Message' });
  await box.fill(message);
  await box.press('Enter');
}

/** Returns the locator of the replies so far. */
export const replies = (page: Page) => page.locator('.message.assistant .markdown');
