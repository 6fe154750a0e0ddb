import { scheduler } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { type Client, failureOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { rowsOf } from '../support/table.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let client: Client;
let threadId: string;
beforeAll(async () => {
  client = await openClient(t);
});
beforeEach(async () => {
  threadId = (await client.beta.threads.create()).id;
});

const ask = (content: string, metadata?: Record<string, string>) =>
  client.beta.threads.messages.create(threadId, {
    role: 'user',
    content,
    ...(metadata && { metadata }),
  });

const textOf = (message: { content: { type: string }[] }) =>
  message.content.map((part) => ('text' in part ? (part.text as { value: string }).value : part.type)).join();

describe('a message', () => {
  test('is created as the original would, and read again', async () => {
    const before = Math.floor(Date.now() / 1000);
    const message = await ask('Hello', { topic: 'greeting' });
    expect(message).toEqual({
      id: expect.stringMatching(/^msg_/),
      object: 'thread.message',
      created_at: expect.any(Number),
      assistant_id: null,
      thread_id: threadId,
      run_id: null,
      role: 'user',
      status: 'completed',
      incomplete_details: null,
      incomplete_at: null,
      completed_at: message.created_at,
      content: [{ type: 'text', text: { value: 'Hello', annotations: [] } }],
      attachments: [],
      metadata: { topic: 'greeting' },
    });
    expect(message.created_at).toBeGreaterThanOrEqual(before);
    expect(await client.beta.threads.messages.retrieve(message.id, { thread_id: threadId })).toEqual(message);
    expect((await client.beta.threads.messages.list(threadId)).data).toEqual([message]);
  });

  test('may have several parts, an image by its URL among them', async () => {
    await client.beta.threads.messages.create(threadId, {
      role: 'user',
      content: [
        { type: 'text', text: 'What is' },
        { type: 'text', text: 'in this image?' },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
      ],
    });
    const [read] = (await client.beta.threads.messages.list(threadId)).data;
    expect(read && textOf(read)).toContain('What is\nin this image?');
  });

  test('of the assistant can be added', async () => {
    await client.beta.threads.messages.create(threadId, { role: 'assistant', content: 'Welcome.' });
    const [read] = (await client.beta.threads.messages.list(threadId)).data;
    expect(read).toMatchObject({ role: 'assistant', content: [{ text: { value: 'Welcome.' } }] });
  });

  test('has its metadata replaced, and nothing else', async () => {
    const message = await ask('Hello', { a: '1', b: '2' });
    const updated = await client.beta.threads.messages.update(message.id, {
      thread_id: threadId,
      metadata: { c: '3' },
    });
    expect(updated).toEqual({ ...message, metadata: { c: '3' } });
    const same = await client.beta.threads.messages.update(message.id, { thread_id: threadId });
    expect(same).toEqual(updated);
    expect((await client.beta.threads.messages.list(threadId)).data).toEqual([updated]);
  });

  test('is deleted', async () => {
    const [first, second] = [await ask('One'), await ask('Two')];
    const deleted = await client.beta.threads.messages.delete(first.id, { thread_id: threadId });
    expect(deleted).toEqual({ id: first.id, object: 'thread.message.deleted', deleted: true });
    expect((await client.beta.threads.messages.list(threadId)).data).toEqual([second]);
    const again = await failureOf(client.beta.threads.messages.delete(first.id, { thread_id: threadId }));
    expect(again.status).toBe(404);
  });

  test('of the assistant is deleted with the reasoning that led to it, and the thread goes on', async () => {
    await ask('Hello');
    await t.engine.outcome(replies.reasoning({ summary: ['They greet.'] }, 'Hello to you.'));
    const run = () =>
      client.beta.threads.runs.createAndPoll(threadId, { assistant_id: 'asst_test' }, { pollIntervalMs: 25 });
    await run();
    const [reply] = (await client.beta.threads.messages.list(threadId)).data;
    await client.beta.threads.messages.delete(reply?.id ?? '', { thread_id: threadId });
    const conversation = (await t.engine.runs()).find(({ metadata }) => metadata['threadId'] === threadId);
    const engine = new OpenAI({ baseURL: t.engine.url, apiKey: 'test' });
    const items = await engine.conversations.items.list(conversation?.conversation ?? '');
    expect(items.data.map(({ type }) => type)).toEqual(['message']);
    expect((await run()).status).toBe('completed');
  });

  test('of another thread does not exist here', async () => {
    const message = await ask('Hello');
    const { id: thread_id } = await client.beta.threads.create();
    const { messages } = client.beta.threads;
    for (const call of [
      () => messages.retrieve(message.id, { thread_id }),
      () => messages.update(message.id, { thread_id, metadata: {} }),
      () => messages.delete(message.id, { thread_id }),
    ]) {
      expect((await failureOf(call())).status).toBe(404);
    }
  });

  test('is taken by a run that follows, and by the project API', async () => {
    await ask('Explain the database schema');
    const run = await client.beta.threads.runs.createAndPoll(
      threadId,
      { assistant_id: 'asst_test' },
      { pollIntervalMs: 25 },
    );
    expect(run.status).toBe('completed');
    const { body } = await t.call(`projects/${t.projectId}/threads/${threadId}`);
    expect(body.messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant']);
    const listed = (await client.beta.threads.messages.list(threadId, { order: 'asc' })).data;
    expect(listed.map(({ id }) => id)).toEqual(
      body.messages.map(({ messageId }: { messageId: string }) => messageId),
    );
    expect((await t.call(`projects/${t.projectId}/threads/${threadId}/runs/${run.id}`)).body.status).toBe(
      'completed',
    );
  });
});

describe('the run and the time of a message', () => {
  const question = { role: 'user' as const, content: 'Explain the database schema' };

  test('are the same in a list and alone', async () => {
    await ask('Explain the database schema');
    const { threads } = client.beta;
    const run = await threads.runs.createAndPoll(
      threadId,
      { assistant_id: 'asst_test', additional_messages: [question] },
      { pollIntervalMs: 25 },
    );
    const listed = (await threads.messages.list(threadId)).data;
    const [reply, added] = listed;
    expect(reply).toMatchObject({
      run_id: run.id,
      assistant_id: 'asst_test',
      created_at: run.completed_at,
    });
    expect(added).toMatchObject({ run_id: null, assistant_id: null, created_at: run.created_at });
    for (const message of listed) {
      expect(await threads.messages.retrieve(message.id, { thread_id: threadId })).toEqual(message);
    }
  });

  test('do not change when a run replies to the last of the first messages', async () => {
    const { threads } = client.beta;
    const thread = await threads.create({ messages: [question, question] });
    const before = (await threads.messages.list(thread.id)).data;
    await scheduler.wait(1_100);
    await threads.runs.createAndPoll(thread.id, { assistant_id: 'asst_test' }, { pollIntervalMs: 25 });
    const [, ...after] = (await threads.messages.list(thread.id)).data;
    expect(after).toEqual(before);
  });
});

test('the messages of a run are listed by its id', async () => {
  const run = () =>
    client.beta.threads.runs.createAndPoll(threadId, { assistant_id: 'asst_test' }, { pollIntervalMs: 25 });
  await ask('Explain the database schema');
  await t.engine.outcome(replies.messages('One.', 'Two.'));
  const first = await run();
  await ask('And the error handling?');
  const second = await run();
  const list = async (run_id: string, query = {}) =>
    (await client.beta.threads.messages.list(threadId, { run_id, ...query })).data;
  const replied = await list(first.id, { order: 'asc' });
  expect(replied.map(textOf)).toEqual(['One.', 'Two.']);
  expect(replied[0]).toMatchObject({
    run_id: first.id,
    assistant_id: 'asst_test',
    created_at: first.completed_at,
  });
  expect((await list(first.id, { limit: 1 })).map(textOf)).toEqual(['Two.']);
  expect((await list(second.id)).map(({ run_id }) => run_id)).toEqual([second.id]);
  const { id: other } = await client.beta.threads.create();
  const elsewhere = client.beta.threads.messages.list(other, { run_id: first.id });
  expect(await failureOf(Promise.resolve(elsewhere))).toMatchObject({ status: 404, param: 'run_id' });
});

test('the messages of a run are listed even when the engine has forgotten the run', async () => {
  const run = () =>
    client.beta.threads.runs.createAndPoll(threadId, { assistant_id: 'asst_test' }, { pollIntervalMs: 25 });
  await t.engine.outcome(replies.messages('One.', 'Two.'));
  const completed = await run();
  await t.engine.outcome(replies.failedAfter('server_error'));
  const failed = await run();
  await t.engine.forget();
  const list = async (run_id: string) =>
    (await client.beta.threads.messages.list(threadId, { run_id })).data.map(textOf);
  expect(await list(completed.id)).toEqual(['Two.', 'One.']);
  expect(await list(failed.id)).toEqual([]);
});

describe('a list of messages', () => {
  const texts = ['1', '2', '3', '4', '5'];
  beforeEach(async () => {
    for (const text of texts) await ask(text);
  });

  test('is newest first, and pages come to its end in both directions', async () => {
    for (const order of ['desc', 'asc'] as const) {
      const read: string[] = [];
      for await (const message of client.beta.threads.messages.list(threadId, { order, limit: 2 })) {
        read.push(textOf(message));
      }
      expect(read).toEqual(order === 'asc' ? texts : texts.toReversed());
    }
  });

  test('goes back before a message', async () => {
    const all = (await client.beta.threads.messages.list(threadId)).data;
    const before = all[3]?.id ?? '';
    const page = await client.beta.threads.messages.list(threadId, { before, limit: 2 });
    expect(page.data).toEqual(all.slice(1, 3));
    expect(page.has_more).toBe(true);
    const rest = await client.beta.threads.messages.list(threadId, { before: page.data[0]?.id ?? '' });
    expect(rest.data).toEqual(all.slice(0, 1));
    expect(rest.has_more).toBe(false);
  });
});

test('a thread is created with up to a hundred messages, in their order', async () => {
  const messages = Array.from({ length: 100 }, (_, index) => ({
    role: index % 2 === 0 ? ('user' as const) : ('assistant' as const),
    content: `Message ${index}`,
    metadata: { index: String(index) },
  }));
  const thread = await client.beta.threads.create({ messages });
  const read = (await client.beta.threads.messages.list(thread.id, { order: 'asc', limit: 100 })).data;
  expect(read.map((message) => [message.role, textOf(message), message.metadata])).toEqual(
    messages.map(({ role, content, metadata }) => [role, content, metadata]),
  );
});

test('a thread is not created when the engine refuses one of its messages', async () => {
  const append = { method: 'POST', path: '/v1/conversations/*/items', exact: true };
  await t.engine.fault(append, { kind: 'refuse', reason: 'content_filter' });
  const error = await failureOf(
    client.beta.threads.create({ messages: [{ role: 'user', content: 'secret-canary' }] }),
  );
  expect(error.status).toBe(400);
  expect(error.message).not.toContain('canary');
  expect(t.log()).not.toContain('canary');
  expect((await t.engine.calls()).filter((call) => call.startsWith('DELETE'))).toHaveLength(1);
});

test('what is stored of a message is deleted with its thread', async () => {
  await ask('Hello', { topic: 'greeting' });
  await client.beta.threads.delete(threadId);
  const rows = await rowsOf(t.projectId);
  expect(rows.filter(({ partitionKey }) => String(partitionKey).endsWith(threadId))).toEqual([]);
});
