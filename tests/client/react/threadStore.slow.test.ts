import { describe, expect, test } from '@jest/globals';
import { toAnnouncement } from '../../../client/react/announcement.ts';
import type { SubmitOptions } from '../../../client/react/messages.ts';
import { createThreadStore, getThreadStore, type ThreadSnapshot } from '../../../client/react/threadStore.ts';
import { type Client, createClient, type RunEvent } from '../../../client/src/index.ts';
import { replies } from '../../support/engine.ts';
import {
  aCall,
  answersTo,
  changeRow,
  roundsOf,
  startWaitingRun,
  submit as submitOutputs,
  threeCalls,
} from '../../support/toolRounds.ts';
import { until } from '../../support/until.ts';
import { type Exchange, useClient } from '../../support/useClient.ts';
import { useService } from '../../support/useService.ts';

const t = useService();
const c = useClient(t);

/** Text of which every piece is new. */
const textOf = (words: number) => Array.from({ length: words }, (_, word) => `word${word}`).join(' ');

const longReply = textOf(60);

/** Lets the next run take longer than any test, with the first words at once. */
async function slowDown(): Promise<void> {
  await t.engine.timing({ queueMs: 0, runMs: 30_000 });
  await t.engine.outcome(replies.texts(textOf(1_000)));
}

/** A promise and the function that resolves it. */
function createGate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** Listens to the store of a thread, a new one by default; null for a new conversation. */
async function open({
  thread = undefined as string | null | undefined,
  client = undefined as Client | undefined,
} = {}) {
  const path = thread === undefined ? await t.openThread() : thread;
  const threadId = path && (path.split('/').at(-1) ?? '');
  // A longer Retry-After is not waited for.
  const used = client ?? (await c.connect({ timing: { maxRetryMs: 50 } }));
  const store = threadId === null ? createThreadStore(used, null) : getThreadStore(used, threadId);
  const snapshots: ThreadSnapshot[] = [];
  const announcements: string[] = [];
  const events: RunEvent[] = [];
  store.onEvent((event) => events.push(event));
  const listen = () =>
    store.subscribe(() => {
      const snapshot = store.getSnapshot();
      snapshots.push(snapshot);
      const announcement = toAnnouncement(snapshot);
      if (announcements.at(-1) !== announcement) announcements.push(announcement);
    });
  const leave = listen();
  const now = () => store.getSnapshot();
  return {
    ...{
      path: path ?? '',
      threadId,
      client: used,
      store,
      snapshots,
      announcements,
      events,
      now,
      leave,
      listen,
    },
    until: (what: string, condition: (snapshot: ThreadSnapshot) => unknown) =>
      until(what, () => Boolean(condition(now()))),
    async load() {
      await until('the thread is loaded', () => now().status !== 'loading');
    },
    /** Submits a message and waits until its reply is stored. */
    async ask(message: string, options?: SubmitOptions) {
      const shown = now().messages.length;
      expect(store.submit(message, options)).toBe(true);
      await until('the reply', () => now().messages.length > shown + 1 && isSettled(now()));
    },
  };
}

/** Whether everything shown is stored. */
const isSettled = ({ status, messages, run }: ThreadSnapshot): boolean =>
  status === 'ready' && run?.completedAt !== null && messages.every(({ messageId }) => messageId !== null);

const statusesOf = ({ messages }: ThreadSnapshot) => messages.map(({ role, status }) => `${role} ${status}`);
const textsOf = ({ messages }: ThreadSnapshot) => messages.map(({ content }) => content);

/** Texts of the thread's messages as the service has them. */
const storedTexts = async (path: string): Promise<string[]> => {
  const { messages } = (await t.call(`${path}?limit=100`)).body;
  return messages.map(({ content }: { content: string }) => content);
};

/** Texts of a thread that is longer than a page. */
async function allTexts(client: Client, threadId: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { content } of client.threads.messages(threadId)) found.push(content);
  return found;
}

const lose = async ({ forward, cut }: Exchange) => {
  await (await forward()).text();
  cut();
};

const isCreate = ({ request }: Exchange) => request.method === 'POST' && /runs$/.test(request.url ?? '');

describe('a reply', () => {
  test('only grows, wherever its stream is cut and however often', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 300 });
    await t.engine.outcome(replies.messages(longReply, longReply));
    const page = await open();
    await page.load();
    let cuts = 0;
    c.all(async ({ path, pass, forward, response, cut }) => {
      if (!path.endsWith('/events')) return pass();
      const received = await forward();
      response.writeHead(received.status, [...received.headers].flat());
      let left = 900 + 61 * cuts++;
      for await (const chunk of received.body ?? []) {
        response.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) break;
      }
      setImmediate(cut);
    });
    await page.ask('Go on');
    expect(cuts).toBeGreaterThan(3);
    for (const { messages } of page.snapshots)
      for (const { role, content } of messages)
        if (role === 'assistant') expect(longReply.slice(0, content.length)).toBe(content);
    expect(textsOf(page.now())).toEqual(['Go on', longReply, longReply]);
    const texts = page.snapshots.map((snapshot) => textsOf(snapshot).join(''));
    for (const [index, text] of texts.entries()) expect(text.startsWith(texts[index - 1] ?? '')).toBe(true);
  });
});

describe('a message', () => {
  test.each<[string, (page: Awaited<ReturnType<typeof open>>) => Promise<void> | void]>([
    ['is refused', () => t.engine.refuseCreate('rate_limit_exceeded')],
    [
      'is handled and its responses get lost',
      () => c.all((exchange) => (isCreate(exchange) ? lose(exchange) : exchange.pass())),
    ],
  ])('whose create %s is kept, and sent once', async (_, spoil) => {
    const page = await open();
    await page.load();
    await spoil(page);
    page.store.submit('Only once', { instructions: 'Be brief.' });
    await page.until('it fails', ({ error }) => error);
    expect(statusesOf(page.now())).toEqual(['user failed']);
    expect(page.now()).toMatchObject({ status: 'ready', canRetry: true, canSubmit: true });
    const { id } = page.now().messages[0] ?? {};
    c.all(({ pass }) => pass());
    expect(page.store.retry()).toBe(true);
    expect(statusesOf(page.now())).toEqual(['user pending']);
    await page.until('the reply', isSettled);
    expect(statusesOf(page.now())).toEqual(['user sent', 'assistant complete']);
    expect(page.now()).toMatchObject({ error: null, canRetry: false, messages: [{ id }, {}] });
    const keys = c.headers.flatMap((headers) => headers['idempotency-key'] ?? []);
    expect(keys.length).toBeGreaterThan(1);
    expect(new Set(keys).size).toBe(1);
    expect(page.announcements).toContain('The message was not sent');
    expect((await t.call(`${page.path}/runs?status=completed`)).body.runs).toHaveLength(1);
    expect((await t.engine.runs()).at(-1)?.instructions).toContain('Be brief.');
  });

  test('whose responses got lost is known as sent once the thread shows it', async () => {
    const page = await open();
    await page.load();
    c.all((exchange) => (isCreate(exchange) ? lose(exchange) : exchange.pass()));
    page.store.submit('Only once');
    await page.until('it fails', ({ error }) => error);
    const { id } = page.now().messages[0] ?? {};
    await page.store.refresh();
    await page.until('the reply', ({ messages }) => messages[1]?.createdAt);
    expect(page.now()).toMatchObject({
      error: null,
      canRetry: false,
      messages: [{ id, status: 'sent' }, {}],
    });
    expect(page.store.retry()).toBe(false);
  });

  test('that was not sent can be discarded, and nothing else can', async () => {
    const page = await open();
    await page.load();
    await page.ask('Hello');
    await t.engine.refuseCreate('rate_limit_exceeded');
    page.store.submit('No, wait');
    await page.until('it fails', ({ error }) => error);
    const [sent, , failed] = page.now().messages;
    expect(page.store.discard(sent?.id ?? '')).toBeUndefined();
    expect(page.store.discard(failed?.id ?? '')).toBe('No, wait');
    expect(page.now()).toMatchObject({ error: null, canRetry: false });
    expect(statusesOf(page.now())).toEqual(['user sent', 'assistant complete']);
    expect(page.store.retry()).toBe(false);
  });

  test('is sent although nobody listens any more, and is shown to those who listen later', async () => {
    const page = await open();
    await page.load();
    const { open: release, opened } = createGate();
    c.next(async ({ pass }) => {
      await opened;
      await pass();
    });
    page.store.submit('Hello');
    page.leave();
    await until('the create is on its way', () => c.requests.some((request) => request.startsWith('POST')));
    release();
    await page.until('it is sent', ({ status }) => status !== 'submitting');
    expect(statusesOf(page.now())).toEqual(['user sent']);
    expect(c.requests.filter((request) => request.endsWith('/events'))).toEqual([]);
    const again = await open({ thread: page.path, client: page.client });
    expect(again.store).toBe(page.store);
    await again.until('the reply', ({ messages }) => messages.length === 2 && isSettled(page.now()));
  });

  test('of another page that was faster is shown, and the own one is kept for later', async () => {
    const page = await open();
    await page.load();
    const theirs = await startWaitingRun(t, { thread: page.path });
    expect(page.store.submit('mine')).toBe(true);
    await page.until('it is refused', ({ status }) => status === 'requires_action');
    expect(page.now()).toMatchObject({ error: { code: 'thread_busy' }, canRetry: false, canSubmit: false });
    await submitOutputs(t, theirs.run, answersTo(theirs.action));
    await page.until(
      'the other run has ended',
      ({ status, messages }) => status === 'ready' && messages[2]?.createdAt,
    );
    expect(statusesOf(page.now())).toEqual([
      ...['user sent', 'assistant complete', 'assistant complete', 'user failed'],
    ]);
    expect(textsOf(page.now()).at(-1)).toBe('mine');
    // What was not sent stays below the reply that grows.
    const failed = page.snapshots.filter((shown) => statusesOf(shown).includes('user failed'));
    expect(failed.map((shown) => statusesOf(shown).at(-1))).toEqual(failed.map(() => 'user failed'));
    expect(page.store.retry()).toBe(true);
    await page.until('the reply', ({ messages }) => messages.length === 5 && messages[4]?.createdAt);
    // What was asked for is not stored.
    expect(textsOf(page.now()).filter(Boolean)).toEqual(await storedTexts(page.path));
  });

  test('of a run that failed is posted again with all it had', async () => {
    const page = await open();
    await page.load();
    const { fileId } = await page.client.files.upload(
      new File(['hello'], 'hello.txt', { type: 'text/plain' }),
    );
    const attachments = [{ fileId, filename: 'hello.txt', mediaType: 'text/plain' }];
    await t.engine.outcome(replies.failedAfter('server_error'));
    page.store.submit('Try', { instructions: 'Be brief.', attachments, metadata: { a: 'b' } });
    await page.until('it fails', ({ error, status }) => error && status === 'ready');
    expect(page.now()).toMatchObject({ error: { name: 'RunFailedError' }, canRetry: true });
    expect(page.announcements.at(-1)).toBe('The assistant could not reply');
    expect(page.now().messages[0]?.attachments).toEqual([{ fileId, type: 'file', filename: 'hello.txt' }]);
    page.store.retry();
    await page.until(
      'the reply',
      ({ messages }) => messages.at(-1)?.createdAt && messages.at(-1)?.role === 'assistant',
    );
    expect(page.now().error).toBeNull();
    const [first, second] = (await t.engine.runs()).slice(-2);
    expect(second?.input).toEqual(first?.input.map((item) => ({ ...item, id: expect.any(String) })));
    expect(second?.instructions).toBe(first?.instructions);
    expect(page.now().run?.metadata).toEqual({ a: 'b' });
    const keys = c.headers.flatMap((headers) => headers['idempotency-key'] ?? []);
    expect(new Set(keys).size).toBe(2);
  });

  test('is not taken if it is blank, or while something is under way', async () => {
    const page = await open();
    await page.load();
    expect(page.store.submit(' \n')).toBe(false);
    expect(page.store.submit('Hello')).toBe(true);
    expect(page.store.submit('And')).toBe(false);
    await page.until('the reply', ({ messages }) => messages.length === 2 && isSettled(page.now()));
    expect(textsOf(page.now())[0]).toBe('Hello');
  });

  test('creates the thread of a new conversation, whose store is known from then on', async () => {
    const page = await open({ thread: null });
    expect(page.now()).toMatchObject({ status: 'ready', threadId: null });
    const created: string[] = [];
    page.store.onCreated((threadId) => created.push(threadId));
    await t.engine.refuseCreate('rate_limit_exceeded');
    page.store.submit('First');
    await page.until('it fails', ({ error }) => error);
    page.store.retry();
    await page.until('the reply', ({ messages }) => messages.length === 2 && isSettled(page.now()));
    expect(created).toEqual([page.now().threadId]);
    expect(getThreadStore(page.client, created[0] ?? '')).toBe(page.store);
    await page.ask('Second');
    expect(created).toHaveLength(1);
    expect(c.requests.filter((request) => request === 'POST threads')).toHaveLength(2);
  });
});

describe('what a run waits for', () => {
  test('is given together once nothing is missing, also after a lost response', async () => {
    await t.engine.outcome(threeCalls);
    const page = await open();
    await page.load();
    page.store.submit('Where is my order?');
    await page.until('it waits', ({ status }) => status === 'requires_action');
    const waiting = page.now().messages.at(-1);
    expect(waiting?.parts.map(({ type }) => type)).toEqual(['tool_call', 'tool_call', 'approval']);
    const { toolCalls = [], approvals = [] } = page.now().run?.requiredAction ?? {};
    const [first = '', second = ''] = toolCalls.map(({ toolCallId }) => toolCallId);
    const approvalId = approvals[0]?.approvalId ?? '';
    await page.store.respond({ toolOutputs: [{ toolCallId: first, output: 'shipped' }] });
    await page.store.respond({ approvals: [{ approvalId, approve: false, reason: 'No.' }] });
    expect(page.now()).toMatchObject({ status: 'requires_action', canRetry: false });
    expect(page.now().messages.at(-1)?.parts).toMatchObject([
      { output: 'shipped' },
      { output: null },
      { approved: false },
    ]);
    const isOutputs = ({ path }: Exchange) => path.endsWith('/tool-outputs');
    c.all(({ pass, refuse, ...rest }) => (isOutputs(rest as Exchange) ? refuse(500) : pass()));
    await page.store.respond({ toolOutputs: [{ toolCallId: second, output: 'lost' }] });
    expect(page.now()).toMatchObject({ error: { status: 500 }, canRetry: true });
    c.all(({ pass }) => pass());
    c.next((exchange) => (isOutputs(exchange) ? lose(exchange) : exchange.pass()));
    expect(page.store.retry()).toBe(true);
    await page.until('the reply', ({ status, messages }) => status === 'ready' && messages.at(-1)?.createdAt);
    const [, round] = await roundsOf(t, `${page.path}/runs/${page.now().run?.runId}`);
    expect(round?.input).toMatchObject([
      { output: 'shipped' },
      { output: 'lost' },
      { approve: false, reason: 'No.' },
    ]);
    expect(page.now()).toMatchObject({ error: null, status: 'ready' });
    expect(statusesOf(page.now())).toEqual(['user sent', 'assistant complete', 'assistant complete']);
    expect(page.now().messages[1]).toMatchObject({
      id: waiting?.id,
      parts: [{ output: 'shipped' }, { output: 'lost' }, { approved: false }],
    });
    expect(page.announcements).toContain('The assistant needs your input');
  });

  test('is shown when another page started the run, and is over when another one has responded', async () => {
    const { thread, run, action } = await startWaitingRun(t, { outcome: aCall });
    const page = await open({ thread });
    await page.until('it waits', ({ status }) => status === 'requires_action');
    const { open: release, opened } = createGate();
    c.all(async ({ path, pass }) => {
      if (path.endsWith('/tool-outputs')) await opened;
      await pass();
    });
    const toolCallId = action.toolCalls[0]?.toolCallId ?? '';
    const responded = page.store.respond({ toolOutputs: [{ toolCallId, output: 'mine' }] });
    await submitOutputs(t, run, answersTo(action, 'theirs'));
    await t.finish(run);
    release();
    await responded;
    await page.until('the reply', ({ messages }) => messages.at(-1)?.createdAt);
    await page.until('it is over', ({ status }) => status === 'ready');
    expect(page.now().messages.filter(({ status }) => status === 'waiting')).toEqual([]);
    const inputs = (await roundsOf(t, run)).flatMap(({ input }) => input);
    expect(inputs.filter(({ type }) => type === 'function_call_output')).toMatchObject([
      { output: 'theirs' },
    ]);
  });
});

describe('cancelling', () => {
  test('ends the run that is under way, and keeps what it wrote', async () => {
    await slowDown();
    const page = await open();
    await page.load();
    page.store.submit('Take your time');
    await page.until('it replies', ({ messages }) => messages[1]?.content);
    await page.store.cancel();
    await page.until('it has ended', ({ status }) => status === 'ready');
    expect(page.now()).toMatchObject({ run: { status: 'cancelled' }, error: null, canRetry: true });
    expect(statusesOf(page.now())[1]).toBe('assistant incomplete');
    expect(page.now().messages[1]?.content).not.toBe('');
    expect(page.announcements.at(-1)).toBe('Cancelled');
    const { runId } = page.now().run ?? {};
    expect((await t.call(`${page.path}/runs/${runId}`)).body.status).toBe('cancelled');
  });

  test('waits for a create that is on its way', async () => {
    await t.engine.outcome({ status: 'never' });
    const page = await open();
    await page.load();
    page.store.submit('Take your time');
    await page.store.cancel();
    await page.until('it has ended', ({ run }) => run?.status === 'cancelled');
    expect(c.requests.filter((request) => request.endsWith('/cancel'))).toHaveLength(1);
  });

  test('a run that has just ended is no error; a cancellation that fails is one', async () => {
    await t.engine.outcome({ status: 'never' });
    const page = await open();
    await page.load();
    page.store.submit('Take your time');
    await page.until('it is under way', ({ status }) => status === 'in_progress');
    c.next(({ refuse }) => refuse(403));
    await page.store.cancel();
    expect(page.now()).toMatchObject({ error: { status: 403 }, status: 'in_progress' });
    const body = JSON.stringify({ code: 'run_finished' });
    c.next(({ refuse }) => refuse(409, { 'Content-Type': 'application/json' }, body));
    await page.store.cancel();
    expect(page.now().error).toBeNull();
    await page.store.cancel();
    await page.until('it has ended', ({ run }) => run?.status === 'cancelled');
  });
});

describe('the connection', () => {
  test('is one for all who listen, ends with the last one, and leaves the run alone', async () => {
    await slowDown();
    const page = await open();
    const other = await open({ thread: page.path, client: page.client });
    await page.load();
    page.store.submit('Explain it');
    await page.until('it replies', ({ messages }) => messages[1]?.content.includes('word9'));
    other.leave();
    expect(c.requests.filter((request) => request.endsWith('/events'))).toHaveLength(1);
    expect(
      c.requests.filter((request) => request.startsWith('GET') && !request.includes('runs')),
    ).toHaveLength(1);
    page.leave();
    await t.idle();
    const { length } = page.snapshots;
    const { runId } = page.now().run ?? {};
    expect((await t.call(`${page.path}/runs/${runId}`)).body.status).toBe('in_progress');
    expect(c.requests.filter((request) => request.endsWith('/cancel'))).toEqual([]);
    expect(page.snapshots).toHaveLength(length);
    // Whoever returns sees at once what was there, and then more.
    const before = textsOf(page.now()).join('');
    page.listen();
    await page.until('it goes on', (snapshot) => textsOf(snapshot).join('').length > before.length);
    for (const snapshot of page.snapshots.slice(length))
      expect(textsOf(snapshot).join('').startsWith(before)).toBe(true);
    await page.store.cancel();
  });

  test('that is opened again still waits and keeps what has not changed, although its events come again', async () => {
    const page = await open();
    await page.load();
    await t.engine.outcome(
      replies.items(
        { type: 'message', content: [{ type: 'output_text', text: 'Let me see.' }] },
        { type: 'function_call', name: 'get_order', arguments: '{}' },
      ),
    );
    page.store.submit('Where is my order?');
    const isWaiting = ({ status }: ThreadSnapshot) => status === 'requires_action';
    await page.until('it waits', isWaiting);
    let { leave } = page;
    const reopen = async () => {
      leave();
      await t.idle();
      page.events.length = 0;
      leave = page.listen();
      await until('the events have come again', () =>
        page.events.some(({ event }) => event === 'message.end'),
      );
      await page.until('it waits', isWaiting);
      await page.until('the question is stored', ({ messages }) => messages[0]?.messageId);
      return page.now().messages;
    };
    const before = await reopen();
    const after = await reopen();
    expect(statusesOf(page.now())).toEqual(['user sent', 'assistant complete', 'assistant waiting']);
    for (const [index, message] of after.slice(0, 2).entries()) expect(message).toBe(before[index]);
    await page.store.cancel();
    leave();
  });

  test('that is lost is an error until reading works again', async () => {
    c.all(({ refuse }) => refuse(500));
    const page = await open();
    await page.until('it fails', ({ error }) => error);
    expect(page.now()).toMatchObject({ status: 'ready', isLoading: false, canRetry: true });
    expect(page.announcements).toEqual(['The connection was lost']);
    c.all(({ pass }) => pass());
    expect(page.store.retry()).toBe(true);
    await page.until('it is read', ({ error }) => error === null);

    await t.engine.outcome({ status: 'never' });
    c.all(({ path, pass, refuse }) => (path.endsWith('/events') ? refuse(500) : pass()));
    page.store.submit('Hello');
    await page.until('its events cannot be read', ({ error }) => error);
    expect(page.now()).toMatchObject({ run: { completedAt: null }, canSubmit: false, canRetry: true });
    c.all(({ pass }) => pass());
    page.store.retry();
    await page.until('they can', ({ error }) => error === null);
    await page.store.cancel();
    await page.until('the run has ended', ({ status }) => status === 'ready');
    expect(page.now().run?.status).toBe('cancelled');
  });

  test('is back with the next event of the run', async () => {
    await slowDown();
    const page = await open();
    await page.load();
    page.store.submit('Explain it');
    await page.until('it replies', ({ messages }) => messages[1]?.content);
    c.next(({ refuse }) => refuse(500));
    await page.store.refresh();
    await page.until('an event', ({ error }) => error === null);
    expect(page.snapshots.some(({ error }) => error !== null)).toBe(true);
    await page.store.cancel();
  });

  test('reads the thread again when asked to, and forgets what an earlier request brings', async () => {
    const page = await open();
    await page.load();
    const { open: release, opened } = createGate();
    let hasRead = false;
    c.next(async ({ forward, response }) => {
      const received = await forward();
      const text = await received.text();
      hasRead = true;
      await opened;
      response.writeHead(received.status, [...received.headers].flat()).end(text);
    });
    void page.store.refresh();
    // What the earlier request has read is an empty thread.
    await until('it is read', () => hasRead);
    const { run } = await t.startRun(page.path, { body: { message: 'theirs' } });
    await t.finish(run);
    await page.store.refresh();
    expect(textsOf(page.now())).toEqual(await storedTexts(page.path));
    const { messages } = page.now();
    release();
    await t.idle();
    expect(page.now().messages).toEqual(messages);
    // What did not change is not replaced, so that it is not rendered again.
    await page.store.refresh();
    for (const [index, message] of page.now().messages.entries()) expect(message).toBe(messages[index]);
  });
});

describe('a long thread', () => {
  const texts = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

  test('begins with its newest messages, and shows earlier ones on request', async () => {
    await t.engine.outcome(replies.messages(...texts('old', 120)));
    const { thread, run } = await t.startRun();
    await t.finish(run);
    const page = await open({ thread });
    await page.load();
    expect(textsOf(page.now())).toEqual(texts('old', 120).slice(-50));
    expect(page.now().hasEarlier).toBe(true);
    const newest = page.now().messages;
    c.next(({ refuse }) => refuse(500));
    await page.store.loadEarlier();
    expect(page.now()).toMatchObject({ error: { status: 500 }, hasEarlier: true, isLoadingEarlier: false });
    const loading = page.store.loadEarlier();
    expect(page.now().isLoadingEarlier).toBe(true);
    const { length } = c.requests;
    await Promise.all([loading, page.store.loadEarlier()]);
    expect(c.requests.length - length).toBeLessThanOrEqual(1);
    expect(page.now()).toMatchObject({ error: null, isLoadingEarlier: false });
    expect(page.now().messages.slice(-50)).toEqual(newest);
    await page.store.loadEarlier();
    expect(textsOf(page.now())).toEqual(['Explain the database schema', ...texts('old', 120)]);
    expect(page.now().hasEarlier).toBe(false);
    const { length: all } = c.requests;
    await page.store.loadEarlier();
    expect(c.requests).toHaveLength(all);
    // Reading the newest ones keeps the earlier ones.
    await page.store.refresh();
    expect(page.now().messages).toHaveLength(121);
    expect(page.now().hasEarlier).toBe(false);
  });

  test('that has grown by more than a page is shown without a gap', async () => {
    const page = await open();
    await page.load();
    await page.ask('Hello');
    await t.engine.refuseCreate('rate_limit_exceeded');
    page.store.submit('not sent');
    await page.until('it fails', ({ error }) => error);
    page.leave();
    await t.engine.outcome(replies.messages(...texts('new', 60)));
    await t.finish((await t.startRun(page.path)).run);
    page.listen();
    await page.until('the new ones', ({ messages }) => messages.some(({ content }) => content === 'new59'));
    expect(textsOf(page.now())).toEqual([...texts('new', 60).slice(-50), 'not sent']);
    expect(page.now().hasEarlier).toBe(true);
    await page.store.loadEarlier();
    expect(textsOf(page.now())).toEqual([...(await storedTexts(page.path)), 'not sent']);
    expect(page.now().hasEarlier).toBe(false);
  });

  test('that has grown so much while earlier messages were read does not show those after a gap', async () => {
    await t.engine.outcome(replies.messages(...texts('old', 80)));
    const { thread, run } = await t.startRun();
    await t.finish(run);
    const page = await open({ thread });
    await page.load();
    const { open: release, opened } = createGate();
    c.next(async ({ pass }) => {
      await opened;
      await pass();
    });
    const loading = page.store.loadEarlier();
    await t.engine.outcome(replies.messages(...texts('new', 60)));
    await t.finish((await t.startRun(thread)).run);
    await page.store.refresh();
    release();
    await loading;
    expect(textsOf(page.now())).toEqual(texts('new', 60).slice(-50));
    await page.store.loadEarlier();
    await page.store.loadEarlier();
    expect(textsOf(page.now())).toEqual(await allTexts(page.client, page.threadId ?? ''));
  });
});

describe('stores', () => {
  /** Without a service: every request fails. */
  const offline = () =>
    createClient({
      baseUrl: 'http://127.0.0.1/api',
      projectId: 'p',
      token: 'token',
      fetch: () => Promise.resolve(new Response(null, { status: 418 })),
    });

  test('that nobody listens to are forgotten, the oldest first, unless they hold a message', async () => {
    const client = offline();
    const draft = getThreadStore(client, 'draft');
    const leave = draft.subscribe(() => undefined);
    await until('it is loaded', () => draft.getSnapshot().status === 'ready');
    expect(draft.submit('Hello')).toBe(true);
    await until('it fails', () => draft.getSnapshot().messages[0]?.status === 'failed');
    leave();
    const heard = getThreadStore(client, 'heard');
    heard.subscribe(() => undefined);
    const idle = Array.from({ length: 21 }, (_, i) => getThreadStore(client, `idle${i}`));
    expect(getThreadStore(client, 'draft')).toBe(draft);
    expect(getThreadStore(client, 'heard')).toBe(heard);
    expect(getThreadStore(client, 'idle20')).toBe(idle[20]);
    expect(getThreadStore(client, 'idle1')).toBe(idle[1]);
    expect(getThreadStore(client, 'idle0')).not.toBe(idle[0]);
    // Whose turn it is counts from the last time that it was asked for.
    expect(getThreadStore(client, 'idle1')).toBe(idle[1]);
    expect(getThreadStore(client, 'idle2')).not.toBe(idle[2]);
  });

  test('belong to their client', () => {
    const client = offline();
    expect(getThreadStore(client, 'a')).toBe(getThreadStore(client, 'a'));
    expect(getThreadStore(offline(), 'a')).not.toBe(getThreadStore(client, 'a'));
  });
});

describe('announcements', () => {
  test('say each state once, and the whole reply without its commentary', async () => {
    await t.engine.outcome(replies.commentary('I look it up.', 'It is **done**.'));
    const { open: release, opened } = createGate();
    c.next(async ({ pass }) => {
      await opened;
      await pass();
    });
    const page = await open();
    expect(toAnnouncement(page.now())).toBe('Loading the conversation');
    expect(toAnnouncement(page.now(), { loading: 'Lädt' })).toBe('Lädt');
    release();
    await page.load();
    await page.ask('Is it?');
    expect(page.announcements).toEqual([
      ...['', 'Sending', 'The assistant is replying', 'The assistant replied: It is **done**.'],
    ]);
    expect(page.now().messages.map(({ commentary }) => commentary)).toEqual([false, true, false]);
  });

  test('say that a run has expired', async () => {
    await t.engine.outcome({ status: 'never' });
    const page = await open();
    await page.load();
    page.store.submit('Hello');
    await page.until('it is under way', ({ status }) => status === 'in_progress');
    page.leave();
    await t.idle();
    await changeRow(t, page.now().run?.runId ?? '', { expiresAt: new Date(1) });
    page.listen();
    await page.until('it has expired', ({ status }) => status === 'ready');
    expect(toAnnouncement(page.now())).toBe('The assistant did not reply in time');
    expect(page.now()).toMatchObject({ error: { name: 'RunFailedError' }, run: { status: 'expired' } });
  });
});
