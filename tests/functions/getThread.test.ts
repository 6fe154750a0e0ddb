import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startService, type TestService } from '../support/service.ts';
import { rowsOf } from '../support/table.ts';

let service: TestService;
let projectId: string;

beforeAll(async () => {
  service = await startService();
  ({ projectId } = await service.addProject());
});
afterAll(() => service.close());
beforeEach(async () => {
  service.store.reset();
  await service.engine.reset();
});

/** Carries on a conversation of so many questions; each leaves two messages. */
async function converse(thread: string, questions: readonly string[]): Promise<void> {
  for (const message of questions) {
    const { headers } = await service.call(`${thread}/runs`, { method: 'POST', body: { message } });
    await service.finish((headers.get('Location') ?? '').replace('/api/', ''));
  }
}

const contents = (messages: { content: string }[]) => messages.map(({ content }) => content);

describe('createThread', () => {
  test('answers 201 with an empty thread that is there afterwards', async () => {
    const created = await service.call(`projects/${projectId}/threads`, { method: 'POST' });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      threadId: expect.stringMatching(/^thread_[a-z0-9]+$/),
      projectId,
      createdAt: expect.stringMatching(/Z$/),
    });
    const location = `/api/projects/${projectId}/threads/${created.body.threadId}`;
    expect(created.headers.get('Location')).toBe(location);
    const { status, body } = await service.call(location.replace('/api/', ''));
    expect(status).toBe(200);
    expect(body).toEqual({ ...created.body, activeRunId: null, messages: [], hasMore: false, lastId: null });
  });

  test.each([['{"messages": ["x"]}'], ['not JSON'], ['']])('does not read a body: %j', async (body) => {
    expect((await service.call(`projects/${projectId}/threads`, { method: 'POST', body })).status).toBe(201);
  });

  test.each([
    ['rate limit', { kind: 'status', status: 429, headers: { 'retry-after': '3' } }, 429, 'rate_limited'],
    ['500', { kind: 'status', status: 500 }, 503, 'unavailable'],
    ['404 (a wrong address)', { kind: 'status', status: 404 }, 500, 'internal_error'],
    ['wrong key', { kind: 'status', status: 401 }, 500, 'internal_error'],
    ['dropped connection', { kind: 'drop' }, 503, 'unavailable'],
  ])('the engine answering %s: an error, and no thread', async (_name, fault, status, code) => {
    await service.engine.fault(
      { method: 'POST', path: '/v1/conversations' },
      { code: null, type: 'x', message: 'secret detail', ...fault },
    );
    const rows = (await rowsOf(projectId)).length;
    const listed = (await service.call(`projects/${projectId}/threads?limit=1`)).body.threads;
    const answer = await service.call(`projects/${projectId}/threads`, { method: 'POST' });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    if (status >= 500) expect(answer.body.message).toBe('An error occurred while creating the thread');
    expect(answer.text).not.toContain('secret detail');
    const { body } = await service.call(`projects/${projectId}/threads?limit=1`);
    expect(body.threads).toEqual(listed);
    expect(await rowsOf(projectId)).toHaveLength(rows);
  });

  test('leaves no conversation behind when the store fails', async () => {
    service.store.inject('insert', 'fail', 10);
    const answer = await service.call(`projects/${projectId}/threads`, { method: 'POST' });
    expect([answer.status, answer.body.code]).toEqual([503, 'unavailable']);
    expect(await service.engine.calls()).toEqual([
      'POST /v1/conversations',
      expect.stringMatching(/^DELETE \/v1\/conversations\//),
    ]);
  });

  test('an answer of the store that is lost does not lose the thread', async () => {
    service.store.inject('insert', 'lose');
    const { status, body } = await service.call(`projects/${projectId}/threads`, { method: 'POST' });
    expect(status).toBe(201);
    expect((await service.call(`projects/${projectId}/threads/${body.threadId}`)).status).toBe(200);
  });
});

describe('getThread', () => {
  test('pages its messages oldest first, each once, with ids that stay the same', async () => {
    const thread = await service.openThread(projectId);
    await converse(thread, ['One?', 'Two?', 'Three?']);
    const { body: whole } = await service.call(thread);
    expect(whole.messages).toHaveLength(6);
    expect(whole).toMatchObject({ hasMore: false, lastId: whole.messages[5].messageId });
    const questions = whole.messages.filter(({ role }: { role: string }) => role === 'user');
    expect(contents(questions)).toEqual(['One?', 'Two?', 'Three?']);

    const paged = [];
    let path = `${thread}?limit=2`;
    for (let pages = 0; pages < 3; pages++) {
      const { body } = await service.call(path);
      paged.push(...body.messages);
      expect(body.messages).toHaveLength(2);
      expect(body).toMatchObject({ hasMore: pages < 2, lastId: body.messages[1].messageId });
      path = `${thread}?limit=2&after=${body.lastId}`;
    }
    expect(paged).toEqual(whole.messages);
    const { body: end } = await service.call(path);
    expect(end).toMatchObject({ messages: [], hasMore: false, lastId: null });
  });

  test('shows 50 messages unless asked for others, and follows long conversations to their end', async () => {
    const thread = await service.openThread(projectId);
    await converse(
      thread,
      Array.from({ length: 51 }, (_, index) => `Question ${index}?`),
    );
    const { body: first } = await service.call(thread);
    expect(first.messages).toHaveLength(50);
    expect(first.hasMore).toBe(true);
    const { body: rest } = await service.call(`${thread}?limit=100&after=${first.lastId}`);
    expect(rest.messages).toHaveLength(52);
    expect(rest.hasMore).toBe(false);
    expect(contents(rest.messages)).toContain('Question 50?');
  });

  test.each(['0', '101', '-1', '1.5', 'x', '', '1e1', '050000'])(
    'answers 400 for limit=%j',
    async (limit) => {
      const thread = await service.openThread(projectId);
      const answer = await service.call(`${thread}?limit=${limit}`);
      expect(answer.status).toBe(400);
      expect(answer.headers.get('Content-Type')).toContain('application/problem+json');
      expect(answer.body.errors).toEqual({
        Limit: ['The field Limit must be a whole number from 1 to 100.'],
      });
    },
  );

  test.each(['x', 'msg_', 'msg_abc', '', "'", 'msg_%00'])('answers 400 for after=%j', async (after) => {
    const thread = await service.openThread(projectId);
    await service.engine.reset();
    const answer = await service.call(`${thread}?after=${after}`);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.errors)).toEqual(['After']);
    expect(await service.engine.calls()).toEqual([]);
  });

  test('shows the active run while there is one, and the answer as soon as there is none', async () => {
    await service.engine.outcome({ status: 'never' });
    const thread = await service.openThread(projectId);
    const { body: run } = await service.call(`${thread}/runs`, {
      method: 'POST',
      body: { message: 'Hello?' },
    });
    const { body } = await service.call(thread);
    expect(body).toMatchObject({ activeRunId: run.runId, messages: [] });

    await service.engine.reset();
    const other = await service.openThread(projectId);
    await service.call(`${other}/runs`, { method: 'POST', body: { message: 'Hello?' } });
    // No get of the run in between: reading the thread alone brings it up to date.
    let { body: read } = await service.call(other);
    while (read.activeRunId !== null) ({ body: read } = await service.call(other));
    expect(read.messages).toHaveLength(2);
  });

  test('answers 404 for a thread that is not there or cannot be', async () => {
    for (const threadId of ['thread_nosuch', 'thread', 'thread_', 'x'.repeat(70), 'thread_%2e%2e']) {
      const answer = await service.call(`projects/${projectId}/threads/${threadId}`);
      expect([answer.status, answer.body]).toEqual([
        404,
        { message: 'Thread not found', code: 'thread_not_found' },
      ]);
    }
  });

  test.each([
    ['404', { kind: 'status', status: 404 }, 404, 'thread_not_found'],
    ['429', { kind: 'status', status: 429 }, 429, 'rate_limited'],
    ['500', { kind: 'status', status: 500 }, 503, 'unavailable'],
    ['403', { kind: 'status', status: 403 }, 500, 'internal_error'],
  ])('the engine answering %s to the list of messages', async (_name, fault, status, code) => {
    const thread = await service.openThread(projectId);
    await service.engine.fault(
      { method: 'GET', path: '/v1/conversations' },
      { code: null, type: 'x', message: 'secret detail', ...fault },
    );
    const answer = await service.call(thread);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    if (status >= 500) expect(answer.body.message).toBe('An error occurred while reading the thread');
    expect(answer.text).not.toContain('secret detail');
  });
});
