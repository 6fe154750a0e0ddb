import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import type { OrderedPart } from '../../../local/emulator/outcomes.ts';
import { replies } from '../../support/engine.ts';
import { projectFolder } from '../../support/process.ts';
import { threeCalls } from '../../support/toolRounds.ts';
import { until } from '../../support/until.ts';
import { useService } from '../../support/useService.ts';
import { type ReactVersion, readExamples, useTestPages } from './testPages.ts';

const t = useService();

/** A picture of one pixel. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Compiles the guide's examples. @returns their import paths and what the compiler says. */
async function compileExamples(): Promise<{ paths: string[]; output: string }> {
  await mkdir(join(projectFolder, 'dist'), { recursive: true });
  const folder = await mkdtemp(join(projectFolder, 'dist/react-guide-'));
  const examples = [...(await readExamples())];
  await Promise.all(examples.map(([, code], index) => writeFile(join(folder, `${index}.tsx`), code)));
  const config = { extends: '../../tests/client/react/pages/tsconfig.json', include: ['.'], exclude: [] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(projectFolder, 'node_modules/typescript/bin/tsc');
  const compiled = promisify(execFile)(process.execPath, [tsc, '-p', folder]);
  const { stdout } = await compiled.catch((error: { stdout: string }) => error);
  await rm(folder, { recursive: true });
  return { paths: examples.map(([path]) => path), output: stdout };
}

// While the pages are built.
let compiled: ReturnType<typeof compileExamples>;
beforeAll(() => {
  compiled = compileExamples();
});
const pages = useTestPages(t, 'tests/client/react/pages/chats.tsx');

test("the guide's examples compile", async () => {
  expect(await compiled).toEqual({ paths: ['client/react', 'client/react/assistant-ui'], output: '' });
});

/** Opens a page with a chat of a new thread, or of one that the first message creates. */
const open = async (
  chat: 'showHookChat' | 'showKitChat' | 'showFullChat',
  { react = '19' as ReactVersion, isNew = false } = {},
) => {
  const thread = isNew ? '' : await t.openThread();
  const opened = await pages.open(react);
  const show = `test.${chat}(${isNew ? null : `'${thread.split('/').at(-1)}'`})`;
  await opened.run(show);
  const { page } = opened;
  const say = async (text: string) => {
    await page.getByLabel('Message').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
  };
  return { ...opened, thread, show, say };
};

test.each([
  ['showHookChat', '19'],
  ['showKitChat', '19'],
  ['showKitChat', '18'],
] as const)("the guide's %s sends, shows and stops with React %s", async (chat, react) => {
  await t.engine.timing({ queueMs: 20, runMs: 300 });
  await t.engine.outcome(replies.texts('The first reply.'));
  const { page, say, until: untilPage } = await open(chat, { react, isNew: true });
  await say('Hello');
  await page.getByText('Hello').waitFor();
  await page.getByText('The first reply.').first().waitFor();
  await page.getByRole('button', { name: 'Send' }).waitFor();
  expect(await page.getByLabel('Message').inputValue()).toBe('');
  await t.engine.timing({ runMs: 20_000 });
  await say('And now?');
  await page.getByRole('button', { name: 'Stop' }).click();
  await untilPage(
    "!document.body.textContent.includes('Stop') || document.querySelector('button[disabled]')",
  );
  await until('the run is cancelled', async () => (await t.engine.runs()).at(-1)?.status === 'cancelled');
  expect(await page.getByText('Hello').count()).toBe(1);
});

test.each(['showHookChat', 'showKitChat'] as const)(
  "the guide's %s gives what a run waits for",
  async (chat) => {
    await t.engine.outcome(threeCalls);
    const { page, say } = await open(chat);
    await say('Where is it?');
    const functions = page.getByRole('button', { name: 'Run get_order' });
    await functions.nth(1).waitFor();
    await functions.nth(1).click();
    await functions.nth(0).click();
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByText('This is the local emulator').first().waitFor();
    expect((await t.engine.runs()).at(-1)?.input).toMatchObject([
      { output: 'passed' },
      { output: 'passed' },
      { approve: false },
    ]);
  },
);

test('assistant-ui shows calls and approvals in the reply, and gives their outputs together', async () => {
  await t.engine.outcome(threeCalls);
  const { page, say } = await open('showFullChat');
  await say('Where is it?');
  const calls = page.locator('fieldset');
  await calls.nth(2).waitFor();
  expect(await page.locator('legend').allTextContents()).toEqual([
    'get_order {"orderId":"A-17"}',
    'get_order {"orderId":"B-4"}',
    'delete_contact {"id":"C-4"}',
  ]);
  await calls.nth(0).getByText('Give result').click();
  await calls.nth(2).getByText('Approve').click();
  expect(pages.requests.some(({ path }) => path.endsWith('/tool-outputs'))).toBe(false);
  await calls.nth(1).getByText('Give result').click();
  await page.getByText('This is the local emulator').waitFor();
  expect(await page.locator('output').allTextContents()).toEqual([
    ...['{"status":"shipped"}', '{"status":"shipped"}', 'approved'],
  ]);
  expect((await t.engine.runs()).at(-1)?.input).toMatchObject([
    { output: '{"status":"shipped"}' },
    { output: '{"status":"shipped"}' },
    { approve: true },
  ]);
});

test('assistant-ui shows sources and what a code interpreter made', async () => {
  const { page, say } = await open('showFullChat');
  await t.engine.outcome(replies.generatedFile('chart.png', png));
  await say('Draw');
  await page.locator('img[src^="blob:"]').waitFor();
  await t.engine.outcome(replies.generatedFile('page.html', Buffer.from('<script>alert(1)</script>')));
  await say('Write');
  const link = page.getByRole('link', { name: 'page.html' });
  await link.waitFor();
  // Opened here, its type would let its script act as this page.
  const type = await link.evaluate(
    async (anchor) => (await (await fetch(anchor.getAttribute('href') ?? '')).blob()).type,
  );
  expect(type).toBe('application/octet-stream');
});

test('assistant-ui shows each source once, of the web and of documents', async () => {
  const web = (title: string, start: number) => ({
    ...{ type: 'url_citation', url: 'https://a.test/', title },
    ...{ start_index: start, end_index: start + 3 },
  });
  const annotations = [
    { type: 'file_citation', file_id: 'file-x', filename: 'guide.md', index: 3 },
    web('The site', 4),
    { type: 'file_citation', file_id: 'file-x', filename: 'guide.md', index: 7 },
    web('The site', 8),
  ];
  const text = { type: 'output_text', text: 'One two three', annotations } as OrderedPart;
  await t.engine.outcome(replies.items({ type: 'message', content: [text] }));
  const { page, say } = await open('showFullChat');
  await say('Who says so?');
  await page.locator('cite').nth(1).waitFor();
  expect(await page.locator('cite').allTextContents()).toEqual(['guide.md', 'The site']);
});

test('assistant-ui has what else the product gives it, beside what the adapter does', async () => {
  await t.engine.outcome(replies.texts('The whole reply.'));
  const { page, say, run } = await open('showFullChat');
  await say('Hello');
  // A reply that still grows moves the button away from the click.
  await page.getByText('The whole reply.').waitFor();
  await page.getByText('Helpful').click();
  expect(await run('test.feedback')).toEqual(['positive']);
  expect(await page.getByText('Attach').isEnabled()).toBe(true);
});

/** Adds a picture to the message that is being written. Resolves when its upload has begun. */
async function attach(page: Page, name: string): Promise<void> {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByText('Attach').click()]);
  await chooser.setFiles({ name, mimeType: 'image/png', buffer: png });
  await page.getByText(name).waitFor();
}

/** Waits until the page, not only the project, has an attachment: only then is it removed or sent by its id. */
const waitForUpload = (page: Page): Promise<void> =>
  page.locator('[data-status="requires-action"]').waitFor();

test('assistant-ui removes an attachment from the project, or ends its upload', async () => {
  const { page } = await open('showFullChat');
  const isStored = async () => (await t.engine.files()).some(({ filename }) => filename === 'wrong.png');
  await attach(page, 'wrong.png');
  await waitForUpload(page);
  expect(await isStored()).toBe(true);
  await page.getByText('Remove').click();
  await until('it is removed', async () => !(await isStored()));
  await page.getByText('wrong.png').waitFor({ state: 'detached' });

  pages.fault({ method: 'POST', path: /files$/, kind: 'held', until: new Promise(() => undefined) });
  await attach(page, 'slow.png');
  const isUpload = ({ method, path }: { method: string; path: string }) =>
    method === 'POST' && path === '/files';
  await until('it is being uploaded', () => pages.requests.filter(isUpload).length === 2);
  await page.getByText('Remove').click();
  await until('its upload has ended', () => pages.requests.findLast(isUpload)?.isLeft === true);
  expect(pages.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(1);
});

test('assistant-ui uploads attachments, gives back a message without text, and names them when opened again', async () => {
  const { page, say, run, show, until: untilPage } = await open('showFullChat');
  await attach(page, 'pixel.png');
  await waitForUpload(page);
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('pixel.png').waitFor();
  expect(pages.requests.some(({ path }) => path.endsWith('/runs'))).toBe(false);
  await say('What is it?');
  await untilPage(
    "document.querySelectorAll('.attachment').length === 1 && document.body.textContent.includes('emulator')",
  );
  await page.reload();
  await untilPage('test.showFullChat');
  await run(show);
  await page.locator('.attachment', { hasText: 'pixel.png' }).waitFor();
});

test('assistant-ui reloads a message that was not sent', async () => {
  await t.engine.refuseCreate('rate_limit_exceeded');
  const { page, say, thread } = await open('showFullChat');
  await say('Only once');
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.getByText('This is the local emulator').waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  expect((await t.call(`${thread}/runs?status=completed`)).body.runs).toHaveLength(1);
});
