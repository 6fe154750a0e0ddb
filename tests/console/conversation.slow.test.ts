import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { replies as outcomes } from '../support/engine.ts';
import { until } from '../support/until.ts';
import { replies, say, useConsole } from '../support/useConsole.ts';

const t = useConsole();

const message = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const timeline = (page: Page) => page.locator('.timeline .label').allTextContents();
const ended = (page: Page, status = 'Completed') =>
  page.locator('.run-panel .badge', { hasText: status }).first().waitFor();

test('a first question creates a thread, and its reply grows, with its source and its run beside it', async () => {
  await t.engine.timing({ runMs: 4_000 });
  const page = await t.open();
  await say(page, 'How does the authentication flow work?');
  await page.locator('[data-status=streaming] .markdown').waitFor();
  const early = (await replies(page).last().textContent()) ?? '';
  await page.locator('.sources').waitFor();
  const whole = (await replies(page).last().textContent()) ?? '';
  expect(whole.length).toBeGreaterThan(early.length);
  expect(await page.locator('.sources').textContent()).toContain('authentication.md');
  await ended(page);
  await until('the steps are shown', async () => (await timeline(page)).includes('File search'));
  const moments = await timeline(page);
  expect([moments[0], moments.at(-2), moments.at(-1)]).toEqual(['Queued', 'First text', 'Completed']);
  expect(await page.locator('.figures').textContent()).toMatch(/Tokens in\d+Tokens out\d+/);
  await page
    .locator('.threads a[aria-current]', { hasText: 'How does the authentication flow work?' })
    .waitFor();
});

test('a function gets its output, an approval is denied with a reason, and each run goes on', async () => {
  const page = await t.open();
  await say(page, 'Get the build status of main');
  const call = page.getByLabel('Function call: get_build_status');
  expect(await call.locator('pre').textContent()).toBe('{\n  "branch": "main"\n}');
  await call.getByLabel('Output of get_build_status').fill('all green');
  await call.getByRole('button', { name: 'Submit output' }).click();
  await replies(page).filter({ hasText: 'all green' }).waitFor();
  expect(await timeline(page)).toContain('Round 2');

  await say(page, 'Create an event for the release');
  const approval = page.getByLabel('Approval: calendar · create_event');
  await approval.getByLabel(/Reason for a denial/).fill('the calendar is full');
  await approval.getByRole('button', { name: 'Deny' }).click();
  await replies(page).filter({ hasText: 'the calendar is full' }).waitFor();
  await page.locator('details.call', { hasText: 'create_event' }).locator('summary').click();
  await page.getByText('You denied it.').waitFor();
});

test('a picture that the code interpreter drew is shown, and a file that is dropped goes with its message', async () => {
  const page = await t.open();
  await say(page, 'Draw a chart of 3, 5 and 10');
  const picture = page.locator('.generated img');
  await picture.waitFor();
  await until('it is loaded', () =>
    page.evaluate<boolean>(`document.querySelector('.generated img').naturalWidth > 0`),
  );

  const dropped = await page.evaluateHandle(`(() => {
    const data = new DataTransfer();
    data.items.add(new File(['Refunds take ten days.'], 'refunds.md', { type: 'text/markdown' }));
    return data;
  })()`);
  await page.locator('.drop-zone').dispatchEvent('dragenter', { dataTransfer: dropped });
  await page.getByText('Drop files to attach them').waitFor();
  await page.locator('.drop-zone').dispatchEvent('drop', { dataTransfer: dropped });
  await page.locator('[data-state=ready]', { hasText: 'refunds.md' }).waitFor();
  await say(page, 'What does this file say?');
  await page.locator('.message.user .attachments', { hasText: 'refunds.md' }).waitFor();
  await replies(page).filter({ hasText: 'refunds.md' }).waitFor();
});

test('the page does without what the oldest browsers that it supports do not have', async () => {
  const page = await t.openPage({ viewport: { width: 390, height: 844 } });
  await page.addInitScript(`
    const lacking = [
      [Element.prototype, 'checkVisibility'],
      [ReadableStream.prototype, Symbol.asyncIterator, 'values'],
      [AbortSignal, 'any', 'timeout'],
      [URL, 'canParse', 'parse'],
      [Promise, 'try', 'withResolvers'],
      [Set.prototype, 'difference', 'intersection', 'isDisjointFrom', 'isSubsetOf', 'union'],
      [Array, 'fromAsync'],
      [Object, 'groupBy'],
      [Map, 'groupBy'],
      [Iterator.prototype, 'drop', 'every', 'filter', 'find', 'flatMap', 'map', 'some', 'take', 'toArray'],
    ];
    for (const [owner, ...names] of lacking) for (const name of names) delete owner[name];
  `);
  await page.reload();
  await t.signIn(page);
  await say(page, 'How does the authentication flow work?');
  await page.locator('.sources').waitFor();
  await page.getByRole('button', { name: 'Threads' }).click();
  await page.locator('.threads a[aria-current]').click();
  await page.locator('.message-box:focus').waitFor();
});

test('a run is shown to its end where streams do not pass', async () => {
  await t.engine.timing({ runMs: 1_500 });
  const page = await t.openPage();
  await page.route('**/events', (route) => route.fulfill({ contentType: 'text/plain', body: '' }));
  await t.signIn(page);
  await say(page, 'How does the authentication flow work?');
  await page.locator('.sources').waitFor();
  await ended(page);
  await until('the steps are shown', async () => (await timeline(page)).includes('File search'));
});

test('the timeline has its times although the clock of the machine is an hour fast', async () => {
  const page = await t.openPage();
  await page.addInitScript('const now = Date.now; Date.now = () => now() + 3_600_000;');
  await page.reload();
  await t.signIn(page);
  await say(page, 'How does the authentication flow work?');
  await ended(page);
  await until('the steps are shown', async () => (await timeline(page)).includes('File search'));
  expect(await page.locator('.figures').textContent()).toMatch(/First text[\d.]+ m?s/);
  expect(await page.locator('.timeline li time').count()).toBe(await page.locator('.timeline li').count());
});

test('a reload in the middle of a run asks for the token again and shows the rest of the reply', async () => {
  await t.engine.timing({ runMs: 4_000 });
  const page = await t.open();
  await say(page, 'How does the authentication flow work?');
  await page.locator('[data-status=streaming] .markdown').waitFor();
  await page.reload();
  await t.signIn(page);
  await page.locator('.message.user', { hasText: 'authentication flow' }).waitFor();
  await page.locator('.sources').waitFor();
  await ended(page);
  expect(await page.locator('.message.user').count()).toBe(1);
});

test('a reply goes on after the network was away', async () => {
  t.expectFailedRequests();
  await t.engine.timing({ runMs: 4_000 });
  const page = await t.open();
  await say(page, 'How does the authentication flow work?');
  await page.locator('[data-status=streaming] .markdown').waitFor();
  await page.context().setOffline(true);
  await say(page, 'written without a network');
  await page.context().setOffline(false);
  await page.locator('.sources').waitFor();
  // What could not be sent while a run was under way is still there.
  expect(await message(page).inputValue()).toBe('written without a network');
  await message(page).press('Enter');
  await page.locator('.message.user', { hasText: 'written without a network' }).waitFor();
  await until('it has its reply', async () => (await replies(page).count()) === 2);
});

test('an expired token is asked for in a dialog, and the message goes on with the new one', async () => {
  t.expectFailedRequests();
  const page = await t.openPage();
  const token = await t.token();
  await t.signIn(page, token);
  // The same as if time had passed.
  const expired = await t.token({ exp: Math.floor(Date.now() / 1000) - 60 });
  await page.route('**/threads', (route, request) => {
    const headers = request.headers();
    const authorization =
      request.method() === 'POST' ? `Bearer ${expired}` : (headers['authorization'] ?? '');
    return route.continue({ headers: { ...headers, authorization } });
  });
  await say(page, 'Hello');
  const dialog = page.getByRole('dialog', { name: 'The token is no longer accepted' });
  await dialog.locator('textarea:focus').waitFor();
  // Selecting what is in it may end outside of the dialog.
  const box = await dialog.locator('textarea').boundingBox();
  await page.mouse.move((box?.x ?? 0) + 20, (box?.y ?? 0) + 20);
  await page.mouse.down();
  await page.mouse.move(5, 5);
  await page.mouse.up();
  expect(await dialog.count()).toBe(1);
  await page.keyboard.insertText(await t.token({ sub: 'another' }));
  await page.unroute('**/threads');
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await replies(page).first().waitFor();
  expect(await page.locator('.message.user').count()).toBe(1);
});

test('two tabs show the same thread: one answers what the other has started, and both go on', async () => {
  const first = await t.open();
  await say(first, 'Get the build status of main');
  await first.getByLabel('Function call: get_build_status').waitFor();
  const second = await first.context().newPage();
  await second.goto(first.url());
  await t.signIn(second);
  await second.getByLabel('Output of get_build_status').fill('all green');
  await second.getByRole('button', { name: 'Submit output' }).click();
  for (const page of [first, second]) {
    await replies(page).filter({ hasText: 'all green' }).waitFor();
    await ended(page);
    expect(await page.locator('.message.user').count()).toBe(1);
  }
});

test('a double click sends once and cancels nothing, and what ends a composition sends nothing', async () => {
  await t.engine.timing({ runMs: 1_500 });
  const page = await t.open();
  await message(page).fill('にほん');
  // Safari's last Enter of a composition, which is not marked as one.
  await message(page).dispatchEvent('keydown', { key: 'Enter', keyCode: 229 });
  expect(await page.locator('.message').count()).toBe(0);
  await page.getByRole('button', { name: 'Send' }).dblclick();
  await page.locator('.message-box:focus').waitFor();
  await page.getByRole('button', { name: 'Cancel run' }).focus();
  await ended(page);
  expect(await page.locator('.message.user').count()).toBe(1);
  // The button is gone, the focus is not.
  await page.locator('.message-box:focus').waitFor();
});

/** Creates a thread with so many messages, and without runs. */
async function addThread(title: string, count: number, labels = {}): Promise<string> {
  const messages = Array.from({ length: count }, (_, index) => ({
    role: 'user',
    content: `${title} ${index}\n\nmore\n\nof it`,
  }));
  const response = await fetch(`${t.url}/api/projects/${t.projectId}/openai/v1/threads`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${await t.token()}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ messages, metadata: { title, ...labels } }),
  });
  return ((await response.json()) as { id: string }).id;
}

/** Returns how much of the conversation is below what is visible, in pixels. */
const hiddenBelow = (page: Page) =>
  page.locator('.messages').evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight);

/** Scrolls the messages, again if a rendering came before the page heard of it: a person's scrolling is heard at once. */
const scrollAway = (page: Page, top: number) =>
  until('the page knows that its reader has scrolled away', async () => {
    await page.locator('.messages').evaluate((list, to) => list.scrollTo(0, to), top);
    return page.getByRole('button', { name: 'Jump to the end' }).isVisible();
  });

test('a long conversation keeps its place while it grows, and shows what is sent', async () => {
  const threadId = await addThread('Number', 80);
  const page = await t.open();
  await page.goto(`${page.url()}#${threadId}`);
  const earlier = page.getByRole('button', { name: 'Load earlier messages' });
  await earlier.waitFor();
  await until('its end is visible', async () => (await hiddenBelow(page)) < 2);
  const jump = page.getByRole('button', { name: 'Jump to the end' });
  await scrollAway(page, 0);
  const first = page.locator('.message', { hasText: 'Number 30' });
  const before = await first.boundingBox();
  await earlier.press('Enter');
  await page.locator('.message', { hasText: /Number 7\s/ }).waitFor();
  const after = await first.boundingBox();
  // The button above it has gone.
  expect(Math.abs((after?.y ?? 0) - (before?.y ?? 0))).toBeLessThan(60);
  await page.locator('.messages:focus').waitFor();

  await page.getByRole('button', { name: 'Instructions' }).click();
  await message(page).fill('line\n'.repeat(20));
  const [button, composer] = [await jump.boundingBox(), await page.locator('.composer').boundingBox()];
  expect((button?.y ?? 0) + (button?.height ?? 0)).toBeLessThan(composer?.y ?? 0);
  await say(page, 'Hello');
  await replies(page).first().waitFor();
  await ended(page);
  expect(await jump.count()).toBe(0);
  expect(await hiddenBelow(page)).toBeLessThan(2);
  await scrollAway(page, 500);
  await jump.press('Enter');
  await page.locator('.messages:focus').waitFor();
  expect(await hiddenBelow(page)).toBeLessThan(2);
});

test('threads are found by a label and by their id', async () => {
  const ids: string[] = [];
  for (const [title, customer] of [
    ['A', '4711'],
    ['B', '4712'],
    ['C', '4711'],
  ] as const)
    ids.push(await addThread(title, 1, { customer }));
  const page = await t.open();
  const find = page.getByRole('searchbox', { name: 'Find threads' });
  const titles = () => page.locator('.threads .title').allTextContents();
  await until('all are listed', async () => (await titles()).includes('A'));
  await find.fill('customer = 4711');
  await find.press('Enter');
  await until('only two are listed', async () => (await titles()).join() === 'C,A');
  expect(await page.locator('.threads .labels').allTextContents()).toEqual([
    'customer=4711',
    'customer=4711',
  ]);
  await find.fill('customer=none');
  await find.press('Enter');
  await page.getByText('No thread has this label.').waitFor();
  await find.fill('What did they say?');
  await find.press('Enter');
  await page.locator('.hint', { hasText: 'Enter the id of a thread' }).waitFor();
  await find.fill('');
  await until('all are listed again', async () => (await titles()).includes('B'));

  await find.fill(` ${ids[1]} `);
  await find.press('Enter');
  await page.locator('.message.user', { hasText: 'B 0' }).waitFor();
  expect([await find.inputValue(), new URL(page.url()).hash]).toEqual(['', `#${ids[1]}`]);
});

test('a thread that is found by its id is listed where its time belongs, and can be deleted there', async () => {
  const oldest = await addThread('Oldest', 1);
  const found = await addThread('Found', 1);
  for (let count = 0; count < 20; count++) await addThread(`Newer ${count}`, 1);
  const page = await t.open();
  const titles = () => page.locator('.threads .title').allTextContents();
  await until('a page is listed', async () => (await titles()).includes('Newer 0'));
  expect(await titles()).toHaveLength(20);
  await page.getByRole('searchbox', { name: 'Find threads' }).fill(found);
  await page.getByRole('searchbox', { name: 'Find threads' }).press('Enter');
  await page.locator('.threads a[aria-current]', { hasText: 'Found' }).waitFor();
  expect((await titles()).slice(-2)).toEqual(['Newer 0', 'Found']);
  await page.getByRole('button', { name: 'Load more' }).click();
  await page.locator(`.threads a[href="#${oldest}"]`).waitFor();
  await until('all have their titles', async () => !(await titles()).includes('…'));
  const shown = await titles();
  expect(shown.slice(shown.indexOf('Newer 0'), shown.indexOf('Newer 0') + 3)).toEqual([
    ...['Newer 0', 'Found', 'Oldest'],
  ]);
  await page.getByRole('button', { name: 'Delete “Found”' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await until('it is gone', async () => !(await titles()).includes('Found'));
  expect(await titles()).toHaveLength(shown.length - 1);
});

test('what is written but not sent is kept, and comes back with its files', async () => {
  t.expectFailedRequests();
  await addThread('Other', 1);
  const page = await t.open();
  await message(page).fill('a draft');
  await page.locator('.threads a', { hasText: 'Other' }).click();
  await page.locator('.message.user').waitFor();
  expect(await message(page).inputValue()).toBe('');
  await page.goBack();
  await page.getByRole('heading', { name: 'New thread' }).waitFor();
  expect(await message(page).inputValue()).toBe('a draft');

  await page.getByLabel('Files', { exact: true }).setInputFiles([
    { name: 'one.md', mimeType: 'text/markdown', buffer: Buffer.from('# One') },
    { name: 'two.md', mimeType: 'text/markdown', buffer: Buffer.from('# Two') },
  ]);
  await until('both are there', async () => (await page.locator('[data-state=ready]').count()) === 2);
  await page.getByRole('button', { name: 'Remove two.md' }).press('Enter');
  await page.locator('.message-box:focus').waitFor();
  await page.route('**/threads', (route) => route.fulfill({ status: 400, json: {} }), { times: 1 });
  await message(page).press('Enter');
  await page.getByRole('button', { name: 'Edit' }).click();
  expect(await message(page).inputValue()).toBe('a draft');
  await page.locator('[data-state=ready]', { hasText: 'one.md' }).waitFor();
  await message(page).press('Enter');
  await page.locator('.message.user .attachments', { hasText: 'one.md' }).waitFor();
  await replies(page).filter({ hasText: 'one.md' }).waitFor();
});

test('long words and names fit at any size, and the buttons stay in reach', async () => {
  const word = 'x'.repeat(300);
  await t.engine.outcome(
    outcomes.texts(`${word}\n\n\`\`\`ts\nconst code = '${word}';\n\`\`\`\n\nمرحبا بالعالم.`),
  );
  const page = await t.open({ viewport: { width: 320, height: 640 } });
  const [name, files] = [`${word.slice(0, 90)}.md`, page.getByLabel('Files', { exact: true })];
  await files.setInputFiles({ name, mimeType: 'text/markdown', buffer: Buffer.from('text') });
  await page.locator('[data-state=ready]').waitFor();
  await message(page).fill(word);
  const fits = (selector: string) =>
    page.locator(selector).evaluate((element) => element.scrollWidth <= element.clientWidth);
  expect(await fits('.composer')).toBe(true);
  await message(page).press('Enter');
  await page.locator('.message.assistant .facts').waitFor();
  expect([await fits('.messages'), await fits('html')]).toEqual([true, true]);
  const direction = `getComputedStyle(document.querySelector('.markdown p:last-child')).unicodeBidi`;
  expect(await page.evaluate(direction)).toBe('plaintext');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy code' }).click();
  await page.locator('.announcer', { hasText: 'Copied' }).waitFor({ state: 'attached' });
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(`const code = '${word}';\n`);

  await page.getByRole('button', { name: 'Threads' }).click();
  await page.getByRole('button', { name: /^Delete “xxx/ }).click();
  expect(await fits('.dialog')).toBe(true);
  await page.keyboard.press('Escape');
  // A small window, or a large one at 200 %.
  await page.setViewportSize({ width: 640, height: 360 });
  await page.getByRole('button', { name: 'Conversation' }).click();
  await page.getByRole('button', { name: 'Instructions' }).click();
  await message(page).fill('line\n'.repeat(20));
  const send = await page.getByRole('button', { name: 'Send' }).boundingBox();
  expect((send?.y ?? 0) + (send?.height ?? 0)).toBeLessThan(360);
});

test('a reply leads to its run, also when that is not one of the newest', async () => {
  const page = await t.open();
  for (const [index, text] of ['First', 'Second'].entries()) {
    await say(page, text);
    await until('it has its reply', async () => (await replies(page).count()) === index + 1);
    await ended(page);
  }
  await page.route('**/runs?*', async (route) => {
    const response = await route.fetch();
    const list = (await response.json()) as { runs: unknown[] };
    await route.fulfill({ response, json: { ...list, runs: list.runs.slice(0, 1) } });
  });
  await page.getByRole('button', { name: 'Show run' }).first().waitFor();
  await page.reload();
  await t.signIn(page);
  const show = page.getByRole('button', { name: 'Show run' }).first();
  await show.click();
  await page.locator('.run-panel .badge', { hasText: 'Completed' }).first().waitFor();
  const chosen = await page.getByRole('combobox', { name: 'Run to show' }).inputValue();
  expect(await page.getByRole('button', { name: /^run / }).getAttribute('title')).toBe(`Copy ${chosen}`);
  await until('it has its steps', async () => (await timeline(page)).includes('Completed'));
  expect(await show.getAttribute('aria-pressed')).toBe('true');
});

test('a run that another page has started, or that the engine refused, is shown without a reload, with its reason', async () => {
  t.expectFailedRequests();
  const page = await t.open();
  await say(page, 'First');
  await ended(page);
  const reason = page.locator('.run-panel .error-note');
  await t.engine.outcome(outcomes.failedAfter('server_error'));
  const threadId = new URL(page.url()).hash.slice(1);
  const { run } = await t.startRun(`projects/${t.projectId}/threads/${threadId}`);
  await t.finish(run);
  // A browser without a window never hides a page.
  await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
  await reason.filter({ hasText: 'engine_error' }).waitFor();

  const create = { method: 'POST', path: '/v1/responses', exact: true };
  await t.engine.fault(create, { kind: 'status', status: 409, code: 'conversation_locked' });
  await say(page, 'Refused');
  await page.locator('.message.user', { hasText: 'Not sent' }).waitFor();
  await reason.filter({ hasText: 'engine_rejected' }).waitFor();
  expect(await timeline(page)).toEqual(['Queued', 'Failed']);
});

test('a long reply is shown in full, and its events, which are read again for an earlier run, take a few rows', async () => {
  const section = '## Section\n\nSome **bold** text.\n\n- one item\n- another item\n\n';
  await t.engine.outcome(outcomes.texts(section.repeat(1_000)));
  const page = await t.open();
  await say(page, 'Go on');
  await ended(page);
  await page.locator('.message.assistant .facts').waitFor();
  const [reply] = await replies(page).allTextContents();
  expect(reply?.match(/Section/g)).toHaveLength(1_000);
  expect(await hiddenBelow(page)).toBeLessThan(2);

  await page.reload();
  await t.signIn(page);
  await page.getByRole('tab', { name: 'Events' }).click();
  await page.getByRole('button', { name: 'Read them' }).click();
  await page.locator('.events summary', { hasText: 'completed' }).waitFor();
  const names = await page.locator('.events .event-name').allTextContents();
  expect(names.slice(-4)).toEqual(['message.start', 'message.delta', 'message.end', 'run']);
  await page.locator('.events summary', { hasText: /message.delta×[\d,]{4,}/ }).click();
  await page.getByText('The first 100.').waitFor();
});

test('a run is cancelled, and a thread is deleted after a question', async () => {
  await t.engine.outcome({ status: 'never' });
  const page = await t.open();
  await say(page, 'Never ends');
  await page.getByRole('button', { name: 'Cancel run' }).click();
  await ended(page, 'Cancelled');
  await page.getByRole('button', { name: 'Delete “Never ends”' }).click();
  await page
    .getByRole('dialog', { name: 'Delete this thread?' })
    .getByRole('button', { name: 'Delete' })
    .click();
  await page.getByRole('heading', { name: 'New thread' }).waitFor();
  expect(await page.locator('.threads li', { hasText: 'Never ends' }).count()).toBe(0);
  await page.locator('.message-box:focus').waitFor();

  const [other] = [await addThread('Next to it', 1), await addThread('One more', 1)];
  await page.reload();
  await t.signIn(page);
  await page.getByRole('button', { name: 'Delete “One more”' }).press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).press('Enter');
  await page.locator(`.threads a[href="#${other}"]:focus`).waitFor();
  await page.locator('.announcer', { hasText: 'Deleted One more' }).waitFor({ state: 'attached' });
});

test('nothing that people or models write is run or fetched', async () => {
  const hostile = [
    '<img src=x onerror="alert(1)"><script>alert(2)</script>',
    '[a](javascript:alert(3)) [b](data:text/html,<script>alert(4)</script>) [c](https://example.com/)',
    '![beacon](https://example.com/beacon.png)',
    '```html\n<svg onload=alert(5)>\n```',
    '| a | b |\n| - | - |\n| www.example.com | <b onclick=alert(7)>bold</b> |',
  ].join('\n\n');
  await t.engine.outcome(outcomes.texts(hostile));
  const page = await t.open();
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(t.url)) foreign.push(request.url());
  });
  await page.getByLabel('Files', { exact: true }).setInputFiles({
    name: '<img src=x onerror=alert(6)>.md',
    mimeType: 'text/markdown',
    buffer: Buffer.from('text'),
  });
  await page.locator('[data-state=ready]', { hasText: 'onerror' }).waitFor();
  await say(page, hostile);
  await page.locator('.message.assistant .facts').waitFor();
  const links = page.locator('.message.assistant .markdown a');
  expect(
    await links.evaluateAll((all) =>
      all.map((link) => [link.getAttribute('href'), link.getAttribute('rel')]),
    ),
  ).toEqual([
    ['https://example.com/', 'noopener noreferrer'],
    ['https://example.com/beacon.png', 'noopener noreferrer'],
    ['http://www.example.com', 'noopener noreferrer'],
  ]);
  expect(await page.locator('.message.assistant td').allTextContents()).toEqual([
    'www.example.com',
    '<b onclick=alert(7)>bold</b>',
  ]);
  expect(await page.locator('.messages :is(script, img, svg[onload])').count()).toBe(0);
  expect(await page.locator('.message.user .bubble').textContent()).toBe(hostile);
  expect(await page.locator('.attachments').textContent()).toContain('<img src=x onerror=alert(6)>.md');
  expect(foreign).toEqual([]);
});

test('the token is in no storage, address, request list or part of the page', async () => {
  const page = await t.openPage();
  const token = await t.token();
  await t.signIn(page, token);
  await say(page, 'Hello');
  await replies(page).first().waitFor();
  await page.getByRole('tab', { name: 'Requests' }).click();
  await page.locator('.requests summary', { hasText: 'POST' }).first().click();
  expect(await page.locator('.requests details[open] pre').textContent()).toMatch(
    /^curl -s \\\n {2}'http[^']+\/threads' \\\n {2}-H "Authorization: Bearer \$TOKEN"[\s\S]* -d '\{"message":"Hello"\}'$/,
  );
  const storage = await page.evaluate(`(async () => JSON.stringify([
    { ...localStorage }, { ...sessionStorage }, document.cookie, await indexedDB.databases(), await caches.keys(),
  ]))()`);
  expect(storage).toBe('[{},{},"",[],[]]');
  expect(page.url() + (await page.content())).not.toContain(token.slice(0, 40));
});

test('documents are added and deleted by editors, and refused to others with the code and the request id', async () => {
  t.expectFailedRequests();
  const { projectId } = await t.addProject({ editors: ['editor'] });
  const page = await t.openPage();
  const signIn = async (sub: string) => {
    await page.getByLabel('Access token').fill(await t.token({ sub, projects: [projectId] }));
    await page.getByLabel('Project id').fill(projectId);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Documents' }).click();
  };
  await signIn('reader');
  const dialog = page.getByRole('dialog', { name: 'Documents' });
  await dialog.getByText('editor_required').waitFor();
  expect(await dialog.locator('.copy-id').getAttribute('title')).toMatch(/^Copy [\da-f-]{36}$/);
  await page.keyboard.press('Escape');
  expect(await page.evaluate('document.activeElement.textContent.trim()')).toBe('Documents');

  await page.getByRole('button', { name: 'Sign out' }).press('Enter');
  await page.locator('#token:focus').waitFor();
  await signIn('editor');
  await dialog.getByLabel('Documents to add').setInputFiles([
    { name: 'one.md', mimeType: 'text/markdown', buffer: Buffer.from('# One') },
    { name: 'two.md', mimeType: 'text/markdown', buffer: Buffer.from('# Two') },
  ]);
  await until('both are ready', async () => (await dialog.getByText('ready').count()) === 2);
  await dialog.getByRole('button', { name: 'Delete one.md' }).click();
  const question = page.getByRole('dialog', { name: 'Delete this document?' });
  await question.getByRole('button', { name: 'Keep it' }).press('Enter');
  expect(await dialog.locator('li').count()).toBe(2);
  await dialog.getByRole('button', { name: 'Delete one.md' }).click();
  await question.waitFor();
  await page.keyboard.press('Escape');
  await question.waitFor({ state: 'detached' });
  await dialog.getByRole('button', { name: 'Delete one.md' }).and(page.locator(':focus')).waitFor();
  // What browsers send when the choice of files is given up.
  await dialog.getByLabel('Documents to add').dispatchEvent('cancel');
  expect(await dialog.count()).toBe(1);
  await dialog.getByRole('button', { name: 'Delete one.md' }).click();
  await question.getByRole('button', { name: 'Delete' }).press('Enter');
  await until('one is left', async () => (await dialog.locator('li').count()) === 1);
  expect(await dialog.locator('li .name').textContent()).toBe('two.md');
  await dialog.getByRole('button', { name: 'Close' }).and(page.locator(':focus')).waitFor();
});
