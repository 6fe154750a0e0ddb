import { describe, expect, test } from '@jest/globals';
import { ApiError, type Client, ConnectionError } from '../../client/src/index.ts';
import { answersTo, startWaitingRun } from '../support/toolRounds.ts';
import { type Exchange, useClient } from '../support/useClient.ts';
import { useService } from '../support/useService.ts';

const t = useService();
const c = useClient(t);

const message = 'Explain the database schema';
const secret = 'my-secret-question';

/** Lets the service do its work, and loses the response. */
const lose = async ({ forward, cut }: Exchange) => {
  await forward();
  cut();
};

const refuse =
  (status: number, headers?: Record<string, string>, body?: string) =>
  ({ refuse: respond }: Exchange) =>
    respond(status, headers, body);

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

const idOfThread = async (client: Client): Promise<string> => (await client.threads.create()).threadId;

const rejection = async (promise: PromiseLike<unknown>): Promise<unknown> => {
  try {
    return { resolved: await promise };
  } catch (error) {
    return error;
  }
};

describe('a client', () => {
  test('creates, reads, changes, lists and deletes threads and runs', async () => {
    const client = await c.connect();
    const { threadId, run } = await client.threads.create({ message, metadata: { customer: 'a b&c' } });
    const runId = run.runId;
    expect(await client.runs.completed(threadId, runId)).toMatchObject({ runId, status: 'completed' });
    expect(await client.runs.get(threadId, runId)).toMatchObject({ runId });
    expect(await client.runs.steps(threadId, runId)).toMatchObject({ steps: expect.any(Array) });
    expect((await client.threads.get(threadId, { order: 'desc', limit: 1 })).messages).toEqual([
      expect.objectContaining({ role: 'assistant', runId }),
    ]);
    expect(await client.threads.list({ metadata: { customer: 'a b&c' } })).toMatchObject({
      threads: [{ threadId }],
      hasMore: false,
    });
    expect(await client.threads.update(threadId, { metadata: null })).not.toHaveProperty('metadata');
    expect(await client.runs.update(threadId, runId, { metadata: { a: 'b' } })).toMatchObject({
      metadata: { a: 'b' },
    });
    expect((await client.runs.list(threadId, { status: 'completed' })).runs).toHaveLength(1);
    expect((await client.runs.list(threadId, { status: 'failed' })).runs).toHaveLength(0);
    expect(await client.threads.delete(threadId)).toBeUndefined();
    expect(await rejection(client.threads.get(threadId))).toMatchObject({ code: 'thread_not_found' });
  });

  test('keeps its requests out of the cache, where some browsers let them wait for a stream', async () => {
    const client = await c.connect();
    const { threadId, run } = await client.threads.create({ message });
    await collect(client.runs.follow(threadId, run.runId));
    expect(c.headers.map((headers) => headers['cache-control'])).toEqual(['no-cache', 'no-cache']);
  });

  test('uploads, reads and deletes files and documents', async () => {
    const { projectId } = await t.addProject({ editors: ['tester'] });
    const token = await t.issuer.sign({ projects: [projectId] });
    const client = await c.connect({ projectId, token });
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    );
    const file = await client.files.upload(new File([png], 'dot.png'));
    expect(await client.files.get(file.fileId)).toEqual(file);
    expect(Buffer.from(await (await client.files.content(file.fileId)).arrayBuffer())).toEqual(png);
    await client.files.delete(file.fileId);
    expect(await rejection(client.files.get(file.fileId))).toMatchObject({ code: 'file_not_found' });

    const document = await client.documents.upload(new File(['# Rules\nBe kind.'], 'rules.md'));
    expect(await collect(client.documents.list())).toEqual([expect.objectContaining({ name: 'rules.md' })]);
    await client.documents.delete(document.documentId);
    expect(await collect(client.documents.list())).toEqual([]);
  });

  test('yields each item of a list once, over its pages, while items are added', async () => {
    await t.changeProject();
    const client = await c.connect();
    const before = new Set<string>();
    for (let count = 0; count < 5; count++) before.add(await idOfThread(client));
    const listed: string[] = [];
    for await (const { threadId } of client.threads.list({ limit: 2 })) {
      listed.push(threadId);
      await idOfThread(client);
    }
    expect(listed).toHaveLength(5);
    expect(new Set(listed)).toEqual(before);
    const pages = await collect(client.threads.list({ limit: 4 }).pages());
    expect(pages.map(({ threads }) => threads.length)).toEqual([4, 4, 2]);
    c.requests.length = 0;
    void client.threads.list();
    for await (const _ of client.threads.list({ limit: 1 })) break;
    expect(c.requests).toEqual(['GET threads?limit=1']);
  });

  test('treats a cancelled run as cancelled, and no other one', async () => {
    const client = await c.connect();
    await t.engine.outcome({ status: 'never' });
    const { threadId, run } = await client.threads.create({ message });
    const runId = run.runId;
    c.next(lose);
    expect(await client.runs.cancel(threadId, runId)).toMatchObject({ status: 'cancelled' });
    expect(await client.runs.cancel(threadId, runId)).toMatchObject({ status: 'cancelled' });
    const second = await client.runs.create(threadId, { message });
    await client.runs.finished(threadId, second.runId);
    expect(await rejection(client.runs.cancel(threadId, second.runId))).toMatchObject({
      status: 409,
      code: 'run_finished',
    });
  });
});

describe('a create', () => {
  test.each<[string, ((exchange: Exchange) => unknown)[]]>([
    ['the connection fails before the service has it', [({ cut }) => cut(), ({ cut }) => cut()]],
    ['its response is lost', [lose, lose]],
    [
      'its response breaks off',
      [
        async ({ forward, response, cut }) => {
          const received = await forward();
          response.writeHead(received.status, { 'Content-Type': 'application/json', 'Content-Length': 999 });
          response.write('{"runId":', cut);
        },
      ],
    ],
    ['a proxy responds for it', [lose, refuse(502), refuse(504, {}, '<html>')]],
    ['a proxy responds with a page', [refuse(200, { 'Content-Type': 'text/html' }, '<html>')]],
    [
      'the service is busy and says when to come back',
      [refuse(429, { 'Retry-After': '0' }), refuse(503, { 'Retry-After': new Date(0).toUTCString() })],
    ],
  ])('starts one run when %s', async (_, faults) => {
    const client = await c.connect();
    const threadId = await idOfThread(client);
    c.next(...faults);
    const { runId } = await client.runs.create(threadId, { message });
    expect((await client.runs.list(threadId)).runs.map((run) => run.runId)).toEqual([runId]);
    expect((await t.engine.runs()).filter(({ metadata }) => metadata['runId'] === runId)).toHaveLength(1);

    c.next(...faults);
    const created = await client.threads.create({ message, metadata: { one: threadId } });
    expect((await client.threads.list({ metadata: { one: threadId } })).threads).toHaveLength(1);
    await client.runs.finished(created.threadId, created.run.runId);
    const keys = c.headers.map((headers) => headers['idempotency-key']).filter(Boolean);
    expect(keys).toHaveLength(3 + 2 * faults.length);
    expect(new Set(keys).size).toBe(3);
  });

  test('repeats an earlier one with its key', async () => {
    const client = await c.connect();
    const threadId = await idOfThread(client);
    const idempotencyKey = 'after-a-reload';
    const first = await client.runs.create(threadId, { message }, { idempotencyKey });
    expect(await client.runs.create(threadId, { message }, { idempotencyKey })).toEqual(first);
  });

  test('gives up after three retries, and at once when asked to come back too late', async () => {
    const client = await c.connect({ timing: { maxRetryMs: 10 } });
    c.all(refuse(503));
    expect(await rejection(client.threads.create())).toMatchObject({ status: 503, code: undefined });
    expect(c.requests).toHaveLength(4);
    c.all(refuse(429, { 'Retry-After': '5' }));
    expect(await rejection(client.threads.create())).toMatchObject({ status: 429, retryAfter: 5 });
    expect(c.requests).toHaveLength(5);
  });
});

describe('a request', () => {
  test('is not repeated when that could do something twice, or cannot help', async () => {
    const client = await c.connect();
    const file = new File(['hello'], 'hello.txt');
    c.next(lose);
    expect(await rejection(client.files.upload(file))).toBeInstanceOf(ConnectionError);
    c.next(refuse(502));
    expect(await rejection(client.documents.upload(file))).toMatchObject({ status: 502 });
    c.next(refuse(500));
    expect(await rejection(client.threads.create())).toMatchObject({ status: 500 });
    expect(c.requests).toEqual(['POST files', 'POST documents', 'POST threads']);
    c.next(refuse(429), refuse(503));
    expect(await client.files.upload(file)).toMatchObject({ filename: 'hello.txt' });
  });

  test('is repeated where that does no harm', async () => {
    const client = await c.connect();
    const { fileId } = await client.files.upload(new File(['hello'], 'hello.txt'));
    c.next(lose);
    await client.files.delete(fileId);
    expect(await rejection(client.files.delete(fileId))).toMatchObject({ status: 404 });

    const waiting = await startWaitingRun(t);
    const [, , , threadId = '', , runId = ''] = waiting.run.split('/');
    c.next(lose);
    await client.runs.submitToolOutputs(threadId, runId, answersTo(waiting.action));
    expect(await client.runs.completed(threadId, runId)).toMatchObject({ status: 'completed' });
    expect((await t.engine.runs()).filter(({ metadata }) => metadata['runId'] === runId)).toHaveLength(2);

    c.next(lose, ({ cut }) => cut(), refuse(503));
    expect(await client.threads.update(threadId, { metadata: { a: 'b' } })).toMatchObject({ threadId });
  });

  test('ends when its time is up', async () => {
    const client = await c.connect({ timing: { requestMs: 50 } });
    c.all(() => undefined);
    const error = await rejection(client.threads.get('thread_1'));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ timedOut: true });
    expect(c.requests).toHaveLength(4);
  });

  test('survives an absence of the service', async () => {
    const client = await c.connect({ timing: { retryMs: 200 } });
    await c.server.away();
    const listed = rejection(client.threads.list());
    await c.server.back();
    expect(await listed).toMatchObject({ resolved: { threads: expect.any(Array) } });
  });
});

describe('an error', () => {
  test('has what the service says, and its message has neither token nor text', async () => {
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const client = await c.connect({ token });
    const threadId = await idOfThread(client);
    const invalid = await rejection(client.runs.create(threadId, { message: ' ', instructions: secret }));
    expect(invalid).toBeInstanceOf(ApiError);
    expect(invalid).toMatchObject({
      name: 'ApiError',
      status: 400,
      code: undefined,
      requestId: expect.stringMatching(/./),
      errors: { Message: [expect.any(String)] },
    });
    expect(String(invalid)).toMatch(/^ApiError: The service responded 400 invalid Message \(request \S+\)$/);

    await t.engine.outcome({ status: 'never' });
    const { runId } = await client.runs.create(threadId, { message });
    const busy = await rejection(client.runs.create(threadId, { message: secret }));
    expect(busy).toMatchObject({
      status: 409,
      code: 'thread_busy',
      activeRunId: runId,
      detail: expect.any(String),
    });
    expect(String(busy)).toMatch(/^ApiError: The service responded 409 thread_busy \(request \S+\)$/);

    const foreign = JSON.stringify({
      code: secret,
      message: secret,
      errors: { [`the ${secret}`]: [secret] },
    });
    c.next(refuse(418, {}, foreign));
    expect(String(await rejection(client.threads.get(threadId)))).toBe('ApiError: The service responded 418');
    c.all(refuse(200, {}, secret));
    const broken = (await rejection(client.threads.get(threadId))) as Error;
    expect([String(broken), String(broken.cause)].join()).not.toContain(secret);
    await client.runs.cancel(threadId, runId).catch(() => undefined);
  });

  test('about an impossible token does not show it', async () => {
    const client = await c.connect({ token: `${secret}\n${secret}` });
    const error = (await rejection(client.threads.list())) as Error;
    expect([error.message, error.stack, String(error.cause)].join()).not.toContain(secret);
    expect(error).toBeInstanceOf(TypeError);
    expect(c.requests).toEqual([]);
  });
});

describe('a token', () => {
  test('is asked for once, and once more for all requests that it no longer serves', async () => {
    const expired = await t.issuer.sign({ projects: [t.projectId], exp: 1 });
    const valid = await t.issuer.sign({ projects: [t.projectId] });
    const tokens = [expired, ` ${valid}\n`];
    let calls = 0;
    const client = await c.connect({ token: () => tokens[calls++] ?? '' });
    await Promise.all([client.threads.list(), client.threads.list(), client.threads.create()]);
    await client.threads.list();
    expect(calls).toBe(2);
  });

  test('is asked for again only once for a request', async () => {
    let calls = 0;
    const token = async () => {
      calls += 1;
      return 'not.a.token';
    };
    const client = await c.connect({ token });
    expect(await rejection(client.threads.list())).toMatchObject({ status: 401, code: 'unauthorized' });
    expect([calls, c.requests.length]).toEqual([2, 2]);
    const text = await c.connect({ token: 'not.a.token' });
    expect(await rejection(text.threads.list())).toMatchObject({ status: 401 });
    expect(c.requests).toHaveLength(3);
  });

  test('that could not be had is asked for again by the next request', async () => {
    const valid = await t.issuer.sign({ projects: [t.projectId] });
    let calls = 0;
    const token = () => {
      if (calls++ === 0) throw new Error('signed out');
      return valid;
    };
    const client = await c.connect({ token });
    expect(await rejection(client.threads.list())).toEqual(new Error('signed out'));
    expect(await client.threads.list()).toMatchObject({ hasMore: expect.any(Boolean) });
  });
});

describe('a signal', () => {
  const reason = new Error('left the page');

  test('ends a call before, during and after its request, and between its retries', async () => {
    const client = await c.connect({ timing: { retryMs: 60_000, maxRetryMs: 60_000 } });
    const abort = new AbortController();
    abort.abort(reason);
    expect(await rejection(client.threads.list({}, { signal: abort.signal }))).toBe(reason);
    expect(c.requests).toEqual([]);

    const attempts: ((leave: () => void) => (exchange: Exchange) => unknown)[] = [
      (leave) => () => leave(),
      (leave) =>
        async ({ forward }) => {
          await forward();
          leave();
        },
      (leave) =>
        ({ response }) => {
          response.writeHead(200, { 'Content-Type': 'application/json' });
          response.write('{"threads":', leave);
        },
      (leave) =>
        ({ refuse: respond }) => {
          respond(503);
          setTimeout(leave, 50);
        },
    ];
    for (const attempt of attempts) {
      const left = new AbortController();
      c.requests.length = 0;
      c.next(attempt(() => left.abort(reason)));
      expect(await rejection(client.threads.create({}, { signal: left.signal }))).toBe(reason);
      expect(c.requests).toHaveLength(1);
    }
  });

  test('ends a call that waits for its token', async () => {
    const left = new AbortController();
    let give: (token: string) => void = () => undefined;
    const client = await c.connect({
      token: () =>
        new Promise((resolve) => {
          give = resolve;
          left.abort(reason);
        }),
    });
    const other = client.threads.list().then(({ hasMore }) => hasMore);
    expect(await rejection(client.threads.list({}, { signal: left.signal }))).toBe(reason);
    expect(c.requests).toEqual([]);
    give(await t.issuer.sign({ projects: [t.projectId] }));
    expect(typeof (await other)).toBe('boolean');
  });
});
