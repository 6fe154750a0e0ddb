import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { projectFolder } from '../support/process.ts';
import { until } from '../support/until.ts';
import { replies, say, useConsole } from '../support/useConsole.ts';

const t = useConsole();

let axe: string;
beforeAll(async () => {
  axe = await readFile(`${projectFolder}/node_modules/axe-core/axe.min.js`, 'utf8');
});

/** Returns what axe finds against WCAG 2.2 AA and its own best practices. Not added as a script, which the page forbids. */
async function violations(page: Page, options = ''): Promise<string[]> {
  await page.evaluate(`globalThis.axe ?? (() => { ${axe} })()`);
  return page.evaluate<string[]>(`axe.run({ resultTypes: ['violations'] ${options} }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(' '))))`);
}

const looks: [string, BrowserContextOptions][] = [
  ['on a wide screen, in light and dark', {}],
  ['on a phone', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
];

// A dozen views, of which each takes axe seconds on a busy machine.
const axeMs = 180_000;

test.each(looks)(
  'axe finds nothing in any view %s',
  async (name, options) => {
    const found: Record<string, string[]> = {};
    const page = await t.openPage({ ...options, colorScheme: 'light' });
    const check = async (view: string) => {
      found[view] = await violations(page);
      if (!name.includes('dark')) return;
      await page.emulateMedia({ colorScheme: 'dark' });
      found[`${view} in dark`] = await violations(page, `, runOnly: ['color-contrast']`);
      await page.emulateMedia({ colorScheme: 'light' });
    };
    await check('sign-in');
    await t.signIn(page);
    await check('new thread');
    await say(page, 'How does the authentication flow work?');
    await page.locator('.sources').waitFor();
    await say(page, 'Get the build status of main');
    await page.getByRole('button', { name: 'Submit output' }).waitFor();
    await page.getByRole('button', { name: 'Instructions' }).click();
    await check('function call');
    const show = async (view: string) => {
      const button = page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name: view });
      if (await button.isVisible()) await button.click();
    };
    await show('Run');
    for (const tab of ['Timeline', 'Events', 'Requests']) {
      await page.getByRole('tab', { name: tab }).click();
      if (tab !== 'Timeline') await page.locator('.tab-panel summary').first().click();
      await check(tab);
    }
    await show('Threads');
    await check('threads');
    for (const [button, name] of [
      [/^Delete “/, 'Delete this thread?'],
      ['Keyboard shortcuts', 'Keyboard shortcuts'],
      ['Documents', 'Documents'],
    ] as const) {
      await page.getByRole('button', { name: button }).first().click();
      await page.getByRole('dialog', { name }).waitFor();
      if (name === 'Documents') await page.getByText('editor_required').waitFor();
      t.expectFailedRequests();
      await check(name);
      await page.keyboard.press('Escape');
    }
    expect(Object.entries(found).filter(([, list]) => list.length > 0)).toEqual([]);
    // Nothing is cut off at the side.
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  },
  axeMs,
);

/** Presses Tab until the focus is on an element with this name; fails if that takes too long. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const seen: string[] = [];
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab');
    const { label, isVisible } = await page.evaluate<{ label: string; isVisible: boolean }>(`(() => {
      const { activeElement: element } = document;
      // Between the last element and the first one; its text is that of the page.
      if (element === document.body) return { label: '', isVisible: true };
      const { outlineStyle } = getComputedStyle(element);
      const ringed = element.closest('.composer:focus-within') ?? element;
      return {
        label: element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent,
        isVisible: outlineStyle !== 'none' || ringed !== element,
      };
    })()`);
    seen.push(label);
    expect([label, isVisible]).toEqual([label, true]);
    if (name.test(label)) return;
  }
  throw new Error(`the focus did not reach ${name}: ${seen.join(', ')}`);
}

test('everything of a conversation can be done by keyboard, with a visible focus', async () => {
  const page = await t.openPage();
  await page.getByLabel('Access token').waitFor();
  await tabTo(page, /Access token/);
  await page.keyboard.insertText(await t.token());
  await tabTo(page, /Project id/);
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(t.projectId);
  await tabTo(page, /Sign in/);
  await page.keyboard.press('Enter');

  const focused = (selector: string) =>
    until(`${selector} has the focus`, () =>
      page.evaluate<boolean>(`document.activeElement.matches('${selector}')`),
    );
  await page.getByRole('textbox', { name: 'Message' }).or(page.getByRole('alert')).waitFor();
  expect(await page.getByRole('alert').allTextContents()).toEqual([]);
  await focused('.message-box');
  await page.keyboard.insertText('Get the build status of main');
  await page.keyboard.press('Enter');
  await page.getByLabel('Output of get_build_status').waitFor();
  await until('it is announced', async () =>
    /needs your input/.test((await page.locator('.conversation [role=status]').textContent()) ?? ''),
  );
  await page.keyboard.press('Shift+Tab');
  await tabTo(page, /^Instructions$/);
  // Backwards from the message box is what the run waits for.
  await page.keyboard.press('Alt+KeyM');
  await focused('.message-box');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  await focused('.call textarea');
  await page.keyboard.insertText('all green');
  await tabTo(page, /^Submit output$/);
  await page.keyboard.press('Enter');
  // The form is gone, the focus is not.
  await focused('.message-box');
  await replies(page).filter({ hasText: 'all green' }).waitFor();

  await page.keyboard.press('Alt+KeyR');
  await focused('[role=tab]');
  await page.keyboard.press('ArrowRight');
  await page.getByRole('tab', { name: 'Events', selected: true }).waitFor();
  await page.keyboard.press('Alt+KeyN');
  await focused('.message-box');
  await page.getByRole('heading', { name: 'New thread' }).waitFor();
  await page.keyboard.press('Alt+KeyT');
  await tabTo(page, /^Delete “Get the build status/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Delete this thread?' }).waitFor();
  await page.keyboard.press('Escape');
  await focused('.row-action');
});
