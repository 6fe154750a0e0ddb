import { beforeEach, describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { rowsOf } from '../support/table.ts';
import { useService } from '../support/useService.ts';

/* A thread's messages among the other items of its conversation. */

const t = useService();
let thread: string;
let conversationId: string;
beforeEach(async () => {
  await t.changeProject();
  thread = await t.openThread();
  const [row] = (await rowsOf(t.projectId)).filter(({ rowKey }) => rowKey === 'thread');
  conversationId = String(row?.['conversationId']);
  await t.engine.reset();
});

/** Adds items to the engine's conversation, past the service. */
async function addItems(items: readonly object[]): Promise<void> {
  for (let start = 0; start < items.length; start += 20) {
    const response = await fetch(`${t.engine.url}/conversations/${conversationId}/items`, {
      method: 'POST',
      headers: { Authorization: 'Bearer test', 'Content-Type': 'application/json' },
      body: JSON.stringify({ items: items.slice(start, start + 20) }),
    });
    expect(response.status).toBe(200);
  }
  await t.engine.reset();
}

const message = (content: string) => ({ role: 'user', content });

const toolCalls = (count: number) =>
  Array.from({ length: count }, () => ({ type: 'file_search_call', queries: ['x'], results: null }));

const contents = (messages: { content: string }[]) => messages.map(({ content }) => content);

/** All pages of the thread's messages, joined, with the most calls to the engine that one of them took. */
async function readAll(
  limit: number,
  order = 'asc',
): Promise<{ messages: string[]; ids: string[]; mostCalls: number }> {
  const messages: { messageId: string; content: string }[] = [];
  let mostCalls = 0;
  for (let after = ''; ; ) {
    await t.engine.reset();
    const { status, body } = await t.call(`${thread}?limit=${limit}&order=${order}${after}`);
    expect(status).toBe(200);
    mostCalls = Math.max(mostCalls, (await t.engine.calls()).length);
    expect(body.messages.length).toBeLessThanOrEqual(limit);
    messages.push(...body.messages);
    if (!body.hasMore) {
      return { messages: contents(messages), ids: messages.map(({ messageId }) => messageId), mostCalls };
    }
    after = `&after=${body.lastId}`;
  }
}

describe('a page of messages', () => {
  test('takes one call to the engine while its items are messages', async () => {
    const texts = Array.from({ length: 120 }, (_, index) => `Message ${index}`);
    await addItems(texts.map(message));
    for (const limit of [1, 10, 50]) {
      const { body } = await t.call(`${thread}?limit=${limit}`);
      expect(contents(body.messages)).toEqual(texts.slice(0, limit));
      expect(body).toMatchObject({ hasMore: true, lastId: body.messages.at(-1).messageId });
      expect(await t.engine.calls()).toHaveLength(1);
      await t.engine.reset();
    }
    expect((await readAll(7)).messages).toEqual(texts);
  });

  test('finds every message between other items, in few calls', async () => {
    const texts = Array.from({ length: 12 }, (_, index) => `Message ${index}`);
    await addItems(texts.flatMap((text, index) => [message(text), ...toolCalls(index * 2)]));
    for (const limit of [1, 5, 100]) {
      for (const order of ['asc', 'desc']) {
        const { messages, ids, mostCalls } = await readAll(limit, order);
        expect(messages).toEqual(order === 'asc' ? texts : texts.toReversed());
        expect(new Set(ids).size).toBe(ids.length);
        expect(mostCalls).toBeLessThanOrEqual(5);
      }
    }
  });

  test('may be empty and have more: what follows hundreds of other items is found by going on', async () => {
    await addItems([...toolCalls(300), message('At last')]);
    const { body: first } = await t.call(`${thread}?limit=1`);
    expect(first).toMatchObject({ messages: [], hasMore: true, lastId: expect.stringMatching(/^msg_/) });
    expect(await t.engine.calls()).toHaveLength(5);
    const { messages, mostCalls } = await readAll(1);
    expect(messages).toEqual(['At last']);
    expect(mostCalls).toBeLessThanOrEqual(5);
  });

  test('that ends with other items is the last one, with the id of its last message', async () => {
    await addItems([message('Only'), ...toolCalls(3)]);
    const { body } = await t.call(`${thread}?limit=1`);
    expect(body).toMatchObject({ messages: [{ content: 'Only' }], hasMore: false });
    expect(body.lastId).toBe(body.messages[0].messageId);
  });
});

test('the text of a message is what was said and what was refused, never reasoning or a summary', async () => {
  await addItems([
    {
      role: 'assistant',
      content: [
        { type: 'reasoning_text', text: 'secret reasoning' },
        { type: 'summary_text', text: 'secret summary' },
        { type: 'output_text', text: 'Said.', annotations: [], logprobs: [] },
        { type: 'refusal', refusal: 'Refused.' },
        { type: 'text', text: 'Added.' },
      ],
    },
    { role: 'user', content: [{ type: 'input_text', text: 'Asked.' }] },
  ]);
  const { body } = await t.call(thread);
  expect(contents(body.messages)).toEqual(['Said.\nRefused.\nAdded.', 'Asked.']);
});

describe('a message', () => {
  const get = async (query = '') => (await t.call(`${thread}${query}`)).body.messages;

  /** Runs a question to its end. */
  const ask = async (outcome?: Record<string, unknown>) => {
    if (outcome) await t.engine.outcome(outcome);
    const { run } = await t.startRun(thread);
    return (await t.finish(run)).body;
  };

  test('has the time of its run, and a reply the id of its run, on pages of any size', async () => {
    const runs = [
      await ask(),
      await ask(replies.messages('One.', 'Two.')),
      await ask({ status: 'failed', code: 'server_error', message: 'x' }),
      await ask(replies.commentary('Looking …', 'Found.')),
      await ask(),
    ].filter(({ status }) => status === 'completed');
    const replyCounts = [1, 2, 2, 1];
    const expected = runs.flatMap(({ runId, createdAt, completedAt }, index) => [
      { role: 'user', createdAt, runId: null },
      ...Array.from({ length: replyCounts[index] ?? 0 }, () => ({
        role: 'assistant',
        createdAt: completedAt,
        runId,
      })),
    ]);
    for (const limit of [1, 2, 3, 4, 100]) {
      const messages = [];
      for (let after = ''; ; ) {
        const { body } = await t.call(`${thread}?limit=${limit}${after}`);
        messages.push(...body.messages);
        if (!body.hasMore) break;
        after = `&after=${body.lastId}`;
      }
      expect(messages).toMatchObject(expected);
    }
  });

  test('costs two more reads of the store, however many there are', async () => {
    const costs = [];
    for (const _ of Array.from({ length: 3 })) {
      await ask();
      t.store.reset();
      await get();
      costs.push([...t.store.roundTrips].sort());
    }
    expect(costs).toEqual(costs.map(() => ['query', 'read', 'read']));
  });

  test('whose run no record tells has neither a time nor a run', async () => {
    await addItems([message('Asked elsewhere'), { role: 'assistant', content: 'Answered elsewhere' }]);
    await ask();
    const [question, reply, ...known] = await get();
    expect([question, reply]).toMatchObject([
      { createdAt: null, runId: null },
      { createdAt: null, runId: null },
    ]);
    expect(known).toMatchObject([{ createdAt: expect.any(String) }, { runId: expect.any(String) }]);
    expect(await get('?limit=2')).toMatchObject([question, reply]);
  });

  test('says what it quotes and what it refuses, at offsets into its text', async () => {
    const citation = { type: 'file_citation', file_id: 'file-x', filename: 'a.md', index: 4 };
    const link = { type: 'url_citation', url: 'https://a.test/', title: 'A', start_index: 0, end_index: 5 };
    const part = (text: string, ...annotations: object[]) => ({
      type: 'output_text',
      text,
      annotations,
      logprobs: [],
    });
    await addItems([
      {
        role: 'assistant',
        content: [
          part('Said.', citation),
          part(''),
          { type: 'refusal', refusal: 'No.' },
          part('Again', link, citation),
        ],
      },
    ]);
    const [{ content, refusal, annotations, attachments }] = await get();
    expect({ content, refusal, attachments }).toEqual({
      content: 'Said.\nNo.\nAgain',
      refusal: 'No.',
      attachments: [],
    });
    expect(annotations).toEqual([
      { type: 'file_citation', filename: 'a.md', index: 4 },
      { type: 'url_citation', url: 'https://a.test/', title: 'A', startIndex: 10, endIndex: 15 },
      { type: 'file_citation', filename: 'a.md', index: 14 },
    ]);
    expect(content.slice(10, 15)).toBe('Again');
  });
});
