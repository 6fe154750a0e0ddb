import { describe, expect, test } from '@jest/globals';
import { useService } from '../support/useService.ts';

const t = useService();

/** Carries on a conversation of so many questions; each leaves two messages. */
async function converse(thread: string, questions: readonly string[]): Promise<void> {
  for (const message of questions) {
    const { headers } = await t.call(`${thread}/runs`, { method: 'POST', body: { message } });
    await t.finish((headers.get('Location') ?? '').replace('/api/', ''));
  }
}

const contents = (messages: { content: string }[]) => messages.map(({ content }) => content);

describe('getThread', () => {
  test('pages its messages oldest first, each once, with ids that stay the same', async () => {
    const thread = await t.openThread();
    await converse(thread, ['One?', 'Two?', 'Three?']);
    const { body: whole } = await t.call(thread);
    expect(whole.messages).toHaveLength(6);
    expect(whole).toMatchObject({ hasMore: false, lastId: whole.messages[5].messageId });
    const questions = whole.messages.filter(({ role }: { role: string }) => role === 'user');
    expect(contents(questions)).toEqual(['One?', 'Two?', 'Three?']);

    const paged = [];
    let path = `${thread}?limit=2`;
    for (let pages = 0; pages < 3; pages++) {
      const { body } = await t.call(path);
      paged.push(...body.messages);
      expect(body.messages).toHaveLength(2);
      expect(body).toMatchObject({ hasMore: pages < 2, lastId: body.messages[1].messageId });
      path = `${thread}?limit=2&after=${body.lastId}`;
    }
    expect(paged).toEqual(whole.messages);
    const { body: end } = await t.call(path);
    expect(end).toMatchObject({ messages: [], hasMore: false, lastId: null });
  });

  test('shows 50 messages unless asked for others, and follows long conversations to their end', async () => {
    const thread = await t.openThread();
    await converse(
      thread,
      Array.from({ length: 51 }, (_, index) => `Question ${index}?`),
    );
    const { body: first } = await t.call(thread);
    expect(first.messages).toHaveLength(50);
    expect(first.hasMore).toBe(true);
    const { body: rest } = await t.call(`${thread}?limit=100&after=${first.lastId}`);
    expect(rest.messages).toHaveLength(52);
    expect(rest.hasMore).toBe(false);
    expect(contents(rest.messages)).toContain('Question 50?');
  });

  test('pages its messages newest first too, so that the newest reply is the first', async () => {
    const thread = await t.openThread();
    await converse(thread, ['One?', 'Two?', 'Three?']);
    const { body: whole } = await t.call(thread);
    const newestFirst = whole.messages.toReversed();
    const { body: first } = await t.call(`${thread}?order=desc&limit=1`);
    expect(first).toMatchObject({ messages: [{ role: 'assistant' }], hasMore: true });
    expect(first.messages).toEqual(newestFirst.slice(0, 1));
    const { body: second } = await t.call(`${thread}?order=desc&limit=4&after=${first.lastId}`);
    expect(second).toMatchObject({ hasMore: true, lastId: newestFirst[4].messageId });
    expect(second.messages).toEqual(newestFirst.slice(1, 5));
    // A message that comes meanwhile is not on a later page.
    await converse(thread, ['Four?']);
    const { body: last } = await t.call(`${thread}?order=desc&limit=4&after=${second.lastId}`);
    expect(last).toMatchObject({ messages: newestFirst.slice(5), hasMore: false });
    const { body: back } = await t.call(`${thread}?order=asc&after=${first.lastId}`);
    expect(contents(back.messages)[0]).toBe('Four?');
    expect((await t.call(`${thread}?order=desc&after=${last.lastId}`)).body.messages).toEqual([]);
  });

  test.each(['ASC', 'newest', '', 'desc,asc'])('answers 400 for order=%j', async (order) => {
    const thread = await t.openThread();
    const { status, body } = await t.call(`${thread}?order=${order}`);
    expect([status, body.errors]).toEqual([400, { Order: ['The field Order must be asc or desc.'] }]);
  });

  test.each(['0', '101', '-1', '1.5', 'x', '', '1e1', '050000'])(
    'answers 400 for limit=%j',
    async (limit) => {
      const thread = await t.openThread();
      const response = await t.call(`${thread}?limit=${limit}`);
      expect(response.status).toBe(400);
      expect(response.headers.get('Content-Type')).toContain('application/problem+json');
      expect(response.body.errors).toEqual({
        Limit: ['The field Limit must be a whole number from 1 to 100.'],
      });
    },
  );

  test.each(['x', 'msg_', 'msg_abc', '', "'", 'msg_%00'])('answers 400 for after=%j', async (after) => {
    const thread = await t.openThread();
    await t.engine.reset();
    const response = await t.call(`${thread}?after=${after}`);
    expect(response.status).toBe(400);
    expect(Object.keys(response.body.errors)).toEqual(['After']);
    expect(await t.engine.calls()).toEqual([]);
  });

  test('shows the active run while there is one, and the reply as soon as there is none', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const { body: run } = await t.call(`${thread}/runs`, {
      method: 'POST',
      body: { message: 'Hello?' },
    });
    const { body } = await t.call(thread);
    expect(body).toMatchObject({ activeRunId: run.runId, messages: [] });

    await t.engine.reset();
    const other = await t.openThread();
    await t.call(`${other}/runs`, { method: 'POST', body: { message: 'Hello?' } });
    // No get of the run in between: reading the thread alone brings it up to date.
    let { body: read } = await t.call(other);
    while (read.activeRunId !== null) ({ body: read } = await t.call(other));
    expect(read.messages).toHaveLength(2);
  });

  test('answers 404 for a thread that is not there or cannot be', async () => {
    for (const threadId of ['thread_nosuch', 'thread', 'thread_', 'x'.repeat(70), 'thread_%2e%2e']) {
      const response = await t.call(`projects/${t.projectId}/threads/${threadId}`);
      expect([response.status, response.body]).toEqual([
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
    const thread = await t.openThread();
    await t.engine.fault(
      { method: 'GET', path: '/v1/conversations' },
      { code: null, type: 'x', message: 'secret detail', ...fault },
    );
    const response = await t.call(thread);
    expect([response.status, response.body.code]).toEqual([status, code]);
    if (status >= 500) expect(response.body.message).toBe('An error occurred while reading the thread');
    expect(response.text).not.toContain('secret detail');
  });
});
