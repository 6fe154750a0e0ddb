import { describe, expect, test } from '@jest/globals';
import { replies } from '../../support/engine.ts';
import { until } from '../../support/until.ts';
import { useService } from '../../support/useService.ts';
import { type ReactVersion, reactVersions, useTestPages } from './testPages.ts';

const t = useService();
const pages = useTestPages(t, 'tests/client/react/pages/thread.tsx');

/** Text of which every delta is new, long enough for many. */
const longReply = Array.from({ length: 300 }, (_, word) => `word${word}`).join(' ');

const idOf = (path: string) => path.split('/').at(-1) ?? '';

/** A reply of which parts come soon and others late. */
const slowReply = replies.messages(...Array.from({ length: 100 }, (_, part) => `part ${part}`));

/** Number of runs that the engine was asked for since the test began. */
const runsAsked = async () => (await t.engine.calls()).filter((call) => call === 'POST /v1/responses').length;

/** Opens a page that shows a thread, a new one by default. */
const show = async (react: ReactVersion = '19') => {
  const thread = await t.openThread();
  const threadId = idOf(thread);
  const page = await pages.open(react);
  await page.run(`test.show('${threadId}')`);
  await page.until("test.thread?.status !== 'loading'");
  return { ...page, thread, threadId };
};
const submit = (page: { run: (code: string) => Promise<unknown> }, text: string) =>
  page.run(`test.thread.submit(${JSON.stringify(text)})`);

/** Whether the reply to the first message was shown while it grew. */
const wasStreamed = "test.renders.some(({ thread }) => thread.messages[1]?.status === 'streaming')";

describe.each(reactVersions)('with React %s, useThread', (react) => {
  test('shows a message at once, and its reply as it grows to the final one', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 1_000 });
    await t.engine.outcome(replies.texts(longReply));
    const page = await show(react);
    const shown = await page.run(`
      test.thread.submit('What is there?');
      new Promise((resolve) => setTimeout(() => resolve([test.thread.status, document.querySelector('.user').className])))`);
    expect(shown).toEqual(['submitting', 'user pending']);
    await page.until("document.querySelector('.complete') && test.thread.messages[1].createdAt");
    const { messages } = (await t.call(page.thread)).body;
    expect(await page.run("[...document.querySelectorAll('li')].map((item) => item.textContent)")).toEqual(
      messages.map(({ content }: { content: string }) => content),
    );
    expect(await page.run("document.querySelector('output').textContent")).toBe(`What is there?${longReply}`);
    const grown = await page.run<string[]>(
      'test.renders.map(({ thread }) => thread.messages[1]?.content ?? "")',
    );
    for (const [index, text] of grown.entries()) expect(text.startsWith(grown[index - 1] ?? '')).toBe(true);
    expect(grown.some((text) => text !== '' && text !== longReply)).toBe(true);
    // At most one text for each delta, and none before the first; those of one frame are shown together.
    const deltas = await page.run<number>(
      "test.events.filter(({ event }) => event === 'message.delta').length",
    );
    expect(new Set(grown).size).toBeLessThanOrEqual(deltas + 1);
  });

  test('never shows a message of one thread in another, however fast one switches', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 200 });
    const page = await show(react);
    const other = idOf(await t.openThread());
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    pages.fault({
      method: 'GET',
      path: new RegExp(`${page.threadId}$`),
      kind: 'held',
      times: 2,
      until: released,
    });
    await submit(page, 'in the first');
    await page.run(`test.show('${other}')`);
    await page.until("test.thread.status === 'ready'");
    await submit(page, 'in the other');
    await page.run(`test.show('${page.threadId}')`);
    await page.run(`test.show('${other}')`);
    release();
    await page.until('test.thread.messages[1]?.createdAt');
    await page.run(`test.show('${page.threadId}')`);
    await page.until('test.thread.messages[1]?.createdAt');
    const texts = await page.run<[string, string][]>(
      "test.renders.flatMap(({ threadId, thread }) => thread.messages.filter(({ role }) => role === 'user').map(({ content }) => [threadId, content]))",
    );
    expect(new Set(texts.map(String))).toEqual(
      new Set([`${page.threadId},in the first`, `${other},in the other`]),
    );
  });

  test('creates the thread of a new conversation with its first message', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 2_000 });
    const page = await pages.open(react);
    await page.run('test.show(null)');
    await page.until("test.thread?.status === 'ready'");
    await submit(page, 'First');
    await page.until('test.created.length > 0');
    const [threadId] = await page.run<string[]>('test.created');
    await page.until('test.thread.messages[1]?.createdAt');
    expect(await page.run(wasStreamed)).toBe(true);
    expect(await page.run('test.renders.at(-1).threadId')).toBe(threadId);
    // The thread was shown all the time, and nothing was read again.
    const counts = await page.run<number[]>('test.renders.map(({ thread }) => thread.messages.length)');
    expect(counts).toEqual(counts.toSorted());
    expect(pages.requests.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET']);
    await t.engine.timing({ runMs: 0 });
    await submit(page, 'Second');
    await page.until('test.thread.messages[3]?.createdAt');
    expect(await page.run('test.created.length')).toBe(1);
  });
});

describe('useThread', () => {
  test('asks once for all components, and once in Strict Mode', async () => {
    await t.engine.timing({ runMs: 300 });
    const page = await show();
    await submit(page, 'Hello');
    await page.until('test.thread.messages[1]?.createdAt');
    expect(
      pages.requests.map(({ method, path }) => `${method} ${path.replace(/run_\w+/, 'RUN').split('?')[0]}`),
    ).toEqual([
      `GET /threads/${page.threadId}`,
      `POST /threads/${page.threadId}/runs`,
      `GET /threads/${page.threadId}/runs/RUN/events`,
      `GET /threads/${page.threadId}`,
    ]);
  });

  test('resumes a run that is under way when the page is opened again', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 30_000 });
    await t.engine.outcome(slowReply);
    const page = await show();
    await submit(page, 'Explain it');
    await page.until("document.querySelector('.assistant')?.textContent === 'part 0'");
    await page.page.reload();
    await page.until('test.show');
    await page.run(`test.show('${page.threadId}')`);
    await page.until("document.querySelector('.assistant')?.textContent === 'part 0'");
    expect(await page.run('test.thread.status')).toBe('in_progress');
    await page.run('test.thread.cancel()');
    await page.until("test.thread.run.status === 'cancelled'");
    expect(await runsAsked()).toBe(1);
  });

  test('disconnects when the page is left, and lets the run go on', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 30_000 });
    await t.engine.outcome(slowReply);
    const page = await show();
    await submit(page, 'Explain it');
    await page.until("document.querySelector('.assistant')?.textContent");
    await page.run('test.leave()');
    const renders = await page.run('test.renders.length');
    const stream = pages.requests.find(({ path }) => path.endsWith('/events'));
    await until('the stream is closed', () => stream?.isLeft === true);
    const { runId } = await page.run<{ runId: string }>('test.thread.run');
    const { body } = await t.call(`${page.thread}/runs/${runId}`);
    expect(body.status).toBe('in_progress');
    expect(await page.run('test.renders.length')).toBe(renders);
  });

  test('goes on after the stream or the whole network was away', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 1_000 });
    await t.engine.outcome(replies.texts(longReply));
    const page = await show();
    pages.fault({ method: 'GET', path: /events$/, kind: 'cut', bytes: 3_000, times: 2 });
    await submit(page, 'Go on');
    await page.until(wasStreamed);
    await pages.proxy.away();
    await pages.proxy.back();
    await page.until('test.thread.messages[1]?.createdAt');
    expect(await page.run('test.thread.messages[1].content')).toBe(longReply);
    const grown = await page.run<string[]>(
      'test.renders.map(({ thread }) => thread.messages[1]?.content ?? "")',
    );
    for (const text of grown) expect(longReply.slice(0, text.length)).toBe(text);
    expect(pages.requests.filter(({ path }) => path.endsWith('/events')).length).toBeGreaterThan(2);
  });

  test('announces each state once', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 200 });
    await t.engine.outcome(replies.commentary('I look it up.', 'It is **done**.'));
    const page = await show();
    await page.run(`
      globalThis.announced = [];
      new MutationObserver(() => announced.push(document.querySelector('[role=status]').textContent))
        .observe(document.querySelector('[role=status]'), { subtree: true, childList: true, characterData: true });
      test.thread.submit('Is it?')`);
    await page.until('test.thread.messages[2]?.createdAt');
    expect(await page.run('announced')).toEqual([
      'Sending',
      'The assistant is replying',
      'The assistant replied: It is **done**.',
    ]);
  });

  test("monitors runs by the document's hook, with instructions", async () => {
    await t.engine.timing({ queueMs: 20, runMs: 200 });
    const page = await pages.open('19');
    const thread = await t.openThread();
    await page.run(`test.monitorRuns('${idOf(thread)}')`);
    await page.until('test.monitor');
    await page.run("test.monitor.createRun('Explain it', 'Be brief.')");
    expect(await page.run('test.monitor')).toMatchObject({
      runData: { userMessage: 'Explain it', instructions: 'Be brief.', finalStatus: { status: 'completed' } },
      isLoading: false,
      error: null,
    });
    expect((await t.engine.runs()).at(-1)?.instructions).toContain('Be brief.');
    await t.engine.outcome(replies.failedAfter('server_error'));
    await page.run("test.monitor.createRun('Explain it')");
    expect(await page.run('[test.monitor.error, test.monitor.runData.status]')).toEqual([
      expect.any(String),
      'failed',
    ]);
    await t.engine.timing({ runMs: 2_000 });
    await page.run("void test.monitor.createRun('Explain it')");
    await page.until("test.monitor.isLoading && test.monitor.runData.status === 'in_progress'");
    await page.run('test.leave()');
    const stream = pages.requests.findLast(({ path }) => path.endsWith('/events'));
    await until('the stream is closed', () => stream?.isLeft === true);
  });
});
