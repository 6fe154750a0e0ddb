import { describe, expect, test } from '@jest/globals';
import { replies } from '../../support/engine.ts';
import { aCall, roundsOf, startWaitingRun, threeCalls } from '../../support/toolRounds.ts';
import { until } from '../../support/until.ts';
import { useService } from '../../support/useService.ts';
import { reactVersions, useTestPages } from './testPages.ts';

const t = useService();
const pages = useTestPages(t, 'tests/client/react/pages/thread.tsx');

/** Text of which every delta is new, long enough for many. */
const longReply = Array.from({ length: 300 }, (_, word) => `word${word}`).join(' ');

const idOf = (path: string) => path.split('/').at(-1) ?? '';

/** Number of runs that the engine was asked for since the test began. */
const runsAsked = async () => (await t.engine.calls()).filter((call) => call === 'POST /v1/responses').length;

describe.each(reactVersions)('with React %s, useThread', (react) => {
  /** Opens a page that shows a thread, a new one by default. */
  const show = async ({ thread = '', tokens = undefined as string[] | undefined } = {}) => {
    const path = thread || (await t.openThread());
    const threadId = idOf(path);
    const page = await pages.open(react, tokens);
    await page.run(`test.show('${threadId}')`);
    await page.until("test.thread?.status !== 'loading'");
    return { ...page, thread: path, threadId };
  };
  const submit = (page: { run: (code: string) => Promise<unknown> }, text: string) =>
    page.run(`test.thread.submit(${JSON.stringify(text)})`);

  test('shows a message at once, and its reply as it grows to the final one', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 400 });
    await t.engine.outcome(replies.texts(longReply));
    const page = await show();
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
    expect(new Set(grown).size).toBeGreaterThan(3);
    // Deltas are shown together, frame by frame.
    const deltas = await page.run<number>(
      "test.events.filter(({ event }) => event === 'message.delta').length",
    );
    expect(new Set(grown).size).toBeLessThan(deltas);
  });

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

  test('never shows a message of one thread in another, however fast one switches', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 200 });
    const page = await show();
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

  test('resumes a run that is under way when the page is opened again', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 1_500 });
    const page = await show();
    await submit(page, 'Explain it');
    await page.until("document.querySelector('.streaming')");
    await page.page.reload();
    await page.until('test.show');
    await page.run(`test.show('${page.threadId}')`);
    await page.until("test.thread?.status === 'in_progress' && document.querySelector('.streaming')");
    await page.until('test.thread.messages[1]?.createdAt');
    const { messages } = (await t.call(page.thread)).body;
    expect(await page.run('test.thread.messages.map(({ content }) => content)')).toEqual(
      messages.map(({ content }: { content: string }) => content),
    );
    expect(await runsAsked()).toBe(1);
  });

  test('disconnects when the page is left, and lets the run go on', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 1_000 });
    const page = await show();
    await submit(page, 'Explain it');
    await page.until("document.querySelector('.streaming')");
    await page.run('test.leave()');
    const renders = await page.run('test.renders.length');
    const stream = pages.requests.find(({ path }) => path.endsWith('/events'));
    await until('the stream is closed', () => stream?.isLeft === true);
    const { runId } = await page.run<{ runId: string }>('test.thread.run');
    const { body } = await t.finish(`${page.thread}/runs/${runId}`);
    expect(body.status).toBe('completed');
    expect(await page.run('test.renders.length')).toBe(renders);
  });

  test.each([
    ['is refused', 'refused'],
    ['is handled and its responses get lost', 'lost'],
  ] as const)('keeps a message whose create %s, and sends it once', async (_, kind) => {
    const page = await show();
    // Browsers repeat requests by themselves when a connection closes without a response.
    const end = kind === 'lost' && pages.fault({ method: 'POST', path: /runs$/, kind, times: 99 });
    if (kind === 'refused') await t.engine.refuseCreate('rate_limit_exceeded');
    await submit(page, 'Only once');
    await page.until('test.thread.error');
    expect(await page.run('document.querySelector("li").className')).toBe('user failed');
    expect(await page.run('document.querySelector("[role=status]").textContent')).toBe(
      'The message was not sent',
    );
    if (end) end();
    expect(await page.run('test.thread.retry()')).toBe(true);
    await page.until('test.thread.messages[1]?.createdAt');
    expect(await page.run('test.thread.messages.map(({ status }) => status)')).toEqual(['sent', 'complete']);
    expect(await page.run('test.thread.error')).toBeNull();
    const keys = pages.requests.flatMap(({ method, headers }) =>
      method === 'POST' ? headers['idempotency-key'] : [],
    );
    expect(keys.length).toBeGreaterThan(1);
    expect(new Set(keys).size).toBe(1);
    expect((await t.call(`${page.thread}/runs?status=completed`)).body.runs).toHaveLength(1);
    expect((await t.call(page.thread)).body.messages).toHaveLength(2);
  });

  test('gives outputs and approvals that come one by one together', async () => {
    await t.engine.outcome(threeCalls);
    const page = await show();
    await submit(page, 'Where is my order?');
    await page.until("test.thread.status === 'requires_action'");
    expect(await page.run('document.querySelector("[role=status]").textContent')).toBe(
      'The assistant needs your input',
    );
    expect(await page.run("document.querySelector('.waiting') !== null")).toBe(true);
    const parts = await page.run<{ type: string; toolCallId: string; approvalId: string }[]>(
      'test.thread.messages.at(-1).parts',
    );
    expect(parts.map(({ type }) => type)).toEqual(['tool_call', 'tool_call', 'approval']);
    const [first, second, approval] = parts;
    for (const outputs of [
      { toolOutputs: [{ toolCallId: first?.toolCallId, output: 'shipped' }] },
      { approvals: [{ approvalId: approval?.approvalId, approve: false, reason: 'No.' }] },
      { toolOutputs: [{ toolCallId: second?.toolCallId, output: 'lost' }] },
    ])
      await page.run(`test.thread.respond(${JSON.stringify(outputs)})`);
    await page.until('test.thread.messages.at(-1).createdAt && test.thread.run.completedAt');
    const { runId } = await page.run<{ runId: string }>('test.thread.run');
    const [, round] = await roundsOf(t, `${page.thread}/runs/${runId}`);
    expect(round?.input).toMatchObject([
      { output: 'shipped' },
      { output: 'lost' },
      { approve: false, reason: 'No.' },
    ]);
    expect(pages.requests.filter(({ path }) => path.endsWith('/tool-outputs'))).toHaveLength(1);
    const asked = await page.run<{ status: string; parts: unknown[] }>('test.thread.messages.at(-2)');
    expect([asked.status, asked.parts]).toMatchObject([
      'complete',
      [{ output: 'shipped' }, { output: 'lost' }, { approved: false }],
    ]);
  });

  test('shows what a run waits for that another page has started, and that another one has responded', async () => {
    await t.engine.timing({ runMs: 100 });
    const { thread, run, action } = await startWaitingRun(t, { outcome: aCall });
    const page = await show({ thread });
    await page.until("test.thread.status === 'requires_action'");
    const toolOutputs = action.toolCalls.map(({ toolCallId }) => ({ toolCallId, output: 'theirs' }));
    await t.call(`${run}/tool-outputs`, { method: 'POST', body: { toolOutputs } });
    const { toolCallId } = action.toolCalls[0] ?? {};
    await page.run(`test.thread.respond({ toolOutputs: [{ toolCallId: '${toolCallId}', output: 'mine' }] })`);
    await page.until("test.thread.run.status === 'completed' && test.thread.messages.at(-1).createdAt");
    const inputs = (await roundsOf(t, run)).flatMap(({ input }) => input);
    expect(inputs.filter(({ type }) => type === 'function_call_output')).toMatchObject([
      { output: 'theirs' },
    ]);
    expect(await page.run("test.thread.messages.filter(({ status }) => status === 'waiting')")).toEqual([]);
  });

  test.each([
    ['a run', false],
    ['a run whose create is on its way', true],
  ])('cancels %s', async (_, isEarly) => {
    await t.engine.timing({ queueMs: 20, runMs: 20_000 });
    const page = await show();
    await submit(page, 'Take your time');
    if (!isEarly) await page.until("document.querySelector('.streaming')?.textContent");
    await page.run('test.thread.cancel()');
    await page.until("test.thread.status === 'ready'");
    expect(await page.run('[test.thread.run.status, test.thread.error, test.thread.announcement]')).toEqual([
      ...['cancelled', null, 'Cancelled'],
    ]);
    if (!isEarly)
      expect(await page.run("document.querySelector('.incomplete').textContent.length")).toBeGreaterThan(0);
    const { runId } = await page.run<{ runId: string }>('test.thread.run');
    expect((await t.call(`${page.thread}/runs/${runId}`)).body.status).toBe('cancelled');
  });

  test('goes on with a renewed token', async () => {
    const path = await t.openThread();
    const claims = { projects: [t.projectId] };
    const page = await show({ thread: path, tokens: ['not.a.token', await t.issuer.sign(claims)] });
    await submit(page, 'Hello');
    await page.until('test.thread.messages[1]?.createdAt');
    expect(await page.run('test.tokensAsked()')).toBe(2);
  });

  test('follows the run of another page that was faster, and keeps the own message for later', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 500 });
    const page = await show();
    await t.startRun(page.thread, { body: { message: 'theirs' } });
    await submit(page, 'mine');
    await page.until("test.thread.status !== 'submitting' && document.querySelector('.streaming')");
    expect(await page.run('[test.thread.error.code, test.thread.canRetry]')).toEqual(['thread_busy', false]);
    await page.until("test.thread.messages[0].content === 'theirs'");
    expect(await page.run('test.thread.messages.map(({ role, status }) => role + status)')).toEqual([
      ...['usersent', 'assistantcomplete', 'userfailed'],
    ]);
    await page.run('test.thread.retry()');
    await page.until('test.thread.messages[3]?.createdAt');
    const { messages } = (await t.call(page.thread)).body;
    expect(await page.run('test.thread.messages.map(({ content }) => content)')).toEqual(
      messages.map(({ content }: { content: string }) => content),
    );
  });

  test('goes on after the stream or the whole network was away', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 1_000 });
    await t.engine.outcome(replies.texts(longReply));
    const page = await show();
    pages.fault({ method: 'GET', path: /events$/, kind: 'cut', bytes: 3_000, times: 2 });
    await submit(page, 'Go on');
    await page.until("document.querySelector('.streaming')");
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

  test('posts the message of a failed run again', async () => {
    await t.engine.outcome(replies.failedAfter('server_error'));
    const page = await show();
    await submit(page, 'Try');
    await page.until('test.thread.error');
    expect(await page.run('[test.thread.error.name, test.thread.announcement, test.thread.status]')).toEqual([
      ...['RunFailedError', 'The assistant could not reply', 'ready'],
    ]);
    expect(await page.run('test.thread.retry()')).toBe(true);
    await page.until("test.thread.run.status === 'completed'");
    expect(await page.run('test.thread.error')).toBeNull();
    expect(await runsAsked()).toBe(2);
  });

  test('creates the thread of a new conversation with its first message', async () => {
    await t.engine.timing({ queueMs: 20, runMs: 300 });
    const page = await pages.open(react);
    await page.run('test.show(null)');
    await page.until("test.thread?.status === 'ready'");
    await submit(page, 'First');
    await page.until("document.querySelector('.streaming') && test.created.length > 0");
    const [threadId] = await page.run<string[]>('test.created');
    await page.until('test.thread.messages[1]?.createdAt');
    expect(await page.run('test.renders.at(-1).threadId')).toBe(threadId);
    // The thread was shown all the time, and nothing was read again.
    const counts = await page.run<number[]>('test.renders.map(({ thread }) => thread.messages.length)');
    expect(counts).toEqual(counts.toSorted());
    expect(pages.requests.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET']);
    await submit(page, 'Second');
    await page.until('test.thread.messages[3]?.createdAt');
    expect(await page.run('test.created.length')).toBe(1);
  });

  test("monitors runs by the document's hook, with instructions", async () => {
    await t.engine.timing({ queueMs: 20, runMs: 200 });
    const page = await pages.open(react);
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
