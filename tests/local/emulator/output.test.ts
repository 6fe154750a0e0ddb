import { describe, expect, test } from '@jest/globals';
import type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses';
import {
  type Control,
  collect,
  fileSearch,
  idOf,
  model,
  start,
  startRun,
  startStream,
  streamRun,
  typesOf,
} from '../../support/emulator.ts';
import { replies } from '../../support/engine.ts';

const order = (control: Control, outcome: unknown) => control('POST', 'outcomes', { outcome });

function deltasOf(events: ResponseStreamEvent[], type: string): string {
  return events.map((event) => (event.type === type && 'delta' in event ? event.delta : '')).join('');
}

async function streamed(outcome: unknown) {
  const { client, control } = await start({ runMs: 50 });
  await order(control, outcome);
  const { conversation, stream } = await streamRun(client);
  const events = await collect(stream);
  const response = await client.responses.retrieve(idOf(events[0]));
  const { data } = await client.conversations.items.list(conversation, { order: 'asc' });
  expect(events.at(-1)).toMatchObject({ type: 'response.completed', response: { output: response.output } });
  expect(data.slice(1)).toEqual(response.output);
  expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
  return { client, events, response, items: data };
}

const opening = ['response.created', 'response.queued', 'response.in_progress'];

describe('ordered output', () => {
  test('can be a refusal', async () => {
    for (const outcome of [
      replies.refusal('I will not do that.'),
      { status: 'refusal', text: 'I will not do that.' },
    ]) {
      const { events, response } = await streamed(outcome);
      expect(typesOf(events)).toEqual([
        ...opening,
        'response.output_item.added',
        'response.content_part.added',
        'response.refusal.delta',
        'response.refusal.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.completed',
      ]);
      expect(deltasOf(events, 'response.refusal.delta')).toBe('I will not do that.');
      expect(response).toMatchObject({
        status: 'completed',
        output_text: '',
        output: [{ type: 'message', content: [{ type: 'refusal', refusal: 'I will not do that.' }] }],
      });
    }
  });

  test('can be commentary before the final response, in messages of their own', async () => {
    const { events, response } = await streamed(replies.commentary('Let me look.', 'It is 42.'));
    expect(response.output).toMatchObject([
      { type: 'message', phase: 'commentary', content: [{ text: 'Let me look.' }] },
      { type: 'message', phase: 'final_answer', content: [{ text: 'It is 42.' }] },
    ]);
    const added = events.filter((event) => event.type === 'response.output_item.added');
    expect(added).toMatchObject([
      { output_index: 0, item: { phase: 'commentary', status: 'in_progress', content: [] } },
      { output_index: 1, item: { phase: 'final_answer', status: 'in_progress', content: [] } },
    ]);
    expect(deltasOf(events, 'response.output_text.delta')).toBe('Let me look.It is 42.');
  });

  test('can be reasoning with summaries and texts, before a message', async () => {
    const thoughts = { summary: ['First look.', 'Then think.'], content: ['Hm, well.'] };
    const { events, response } = await streamed(replies.reasoning(thoughts, 'Done.'));
    expect(response.output).toMatchObject([
      {
        id: expect.stringMatching(/^rs_/),
        type: 'reasoning',
        summary: [
          { type: 'summary_text', text: 'First look.' },
          { type: 'summary_text', text: 'Then think.' },
        ],
        content: [{ type: 'reasoning_text', text: 'Hm, well.' }],
      },
      { type: 'message' },
    ]);
    const summaryPart = [
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done',
      'response.reasoning_summary_part.done',
    ];
    expect(typesOf(events).slice(3, -7)).toEqual([
      'response.output_item.added',
      ...summaryPart,
      ...summaryPart,
      'response.content_part.added',
      'response.reasoning_text.delta',
      'response.reasoning_text.done',
      'response.content_part.done',
      'response.output_item.done',
    ]);
    expect(events[3]).toMatchObject({ item: { type: 'reasoning', summary: [] } });
    expect(deltasOf(events, 'response.reasoning_summary_text.delta')).toBe('First look.Then think.');
    expect(deltasOf(events, 'response.reasoning_text.delta')).toBe('Hm, well.');
    expect(deltasOf(events, 'response.output_text.delta')).toBe('Done.');
  });

  test('can be reasoning that shows nothing, as it mostly is', async () => {
    const { events } = await streamed(replies.reasoning({}, 'Done.'));
    expect(typesOf(events).slice(3, 6)).toEqual([
      'response.output_item.added',
      'response.output_item.done',
      'response.output_item.added',
    ]);
  });

  test('can be several messages, or several parts of one', async () => {
    const messages = await streamed(replies.messages('One.', 'Two.'));
    expect(messages.response.output).toHaveLength(2);
    expect(messages.response.output_text).toBe('One.Two.');
    const { events, response } = await streamed(replies.texts('One.', 'Two.'));
    expect(response.output).toHaveLength(1);
    const deltas = events.filter((event) => event.type === 'response.output_text.delta');
    expect(deltas).toMatchObject([
      { content_index: 0, delta: 'One.' },
      { content_index: 1, delta: 'Two.' },
    ]);
  });

  test('can be a function call, whose output the conversation then demands', async () => {
    const { client, events, response, items } = await streamed(
      replies.functionCall('weather', { place: 'Rome' }),
    );
    const call = response.output[0];
    if (call?.type !== 'function_call') throw new Error('no function call');
    expect(call).toMatchObject({ name: 'weather', arguments: '{"place":"Rome"}', status: 'completed' });
    expect(call.call_id).toMatch(/^call_/);
    expect(typesOf(events).slice(3)).toEqual([
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(deltasOf(events, 'response.function_call_arguments.delta')).toBe(call.arguments);
    expect(items).toHaveLength(2);
    const conversation = response.conversation?.id ?? '';
    await expect(client.responses.create({ model, input: 'And?', conversation })).rejects.toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      error: { message: `No tool output found for function call ${call.call_id}.` },
    });
    const output = { type: 'function_call_output' as const, call_id: call.call_id, output: 'Sunny' };
    const wrong = { ...output, call_id: 'call_unknown' };
    await expect(client.responses.create({ model, input: [wrong], conversation })).rejects.toMatchObject({
      status: 400,
    });
    expect(await client.responses.create({ model, input: [output], conversation })).toMatchObject({
      status: 'completed',
    });
    expect(await client.responses.create({ model, input: 'And?', conversation })).toMatchObject({
      status: 'completed',
    });
  });

  test('can be a request for approval', async () => {
    const { events, response } = await streamed(
      replies.approvalRequest('shorten', { url: 'https://x.example' }),
    );
    expect(response.output).toEqual([
      {
        id: expect.stringMatching(/^mcpr_/),
        type: 'mcp_approval_request',
        server_label: 'test',
        name: 'shorten',
        arguments: '{"url":"https://x.example"}',
      },
    ]);
    expect(events[3]).toMatchObject({ type: 'response.output_item.added', item: response.output[0] });
  });

  test.each([
    [{ status: 'completed' }],
    [{ status: 'refusal' }],
    [{ status: 'failed', errorEvent: 'loud' }],
    [replies.items({ type: 'message', content: [] })],
    [{ status: 'completed', output: [{ type: 'message', content: [{ type: 'output_text' }] }] }],
    [
      {
        status: 'completed',
        output: [{ type: 'message', phase: 'late', content: [{ type: 'output_text', text: '' }] }],
      },
    ],
    [{ status: 'completed', output: [{ type: 'reasoning', summary: [1] }] }],
    [{ status: 'completed', output: [{ type: 'function_call', name: 'weather' }] }],
    [{ status: 'completed', output: [{ type: 'image' }] }],
  ])('is refused when it is %j', async (outcome) => {
    const { control } = await start();
    await expect(order(control, outcome)).rejects.toThrow('400');
  });
});

describe('deltas', () => {
  test('are padded to one length unless the client wants them bare', async () => {
    const { client } = await start();
    const bare = {
      model,
      input: 'Hi',
      background: true,
      stream: true,
      stream_options: { include_obfuscation: false },
    } as const;
    const padded = await collect(await startStream(client));
    const without = await collect(await client.responses.create(bare));
    const lengths = (events: ResponseStreamEvent[]) =>
      events.flatMap((event) => {
        if (event.type !== 'response.output_text.delta') return [];
        const { delta, obfuscation } = event as typeof event & { obfuscation?: string };
        return [obfuscation === undefined ? null : (delta.length + obfuscation.length) % 16];
      });
    expect(new Set(lengths(padded))).toEqual(new Set([0]));
    expect(new Set(lengths(without))).toEqual(new Set([null]));
    const resumed = await client.responses.retrieve(idOf(padded[0]), {
      stream: true,
      include_obfuscation: false,
    });
    expect(new Set(lengths(await collect(resumed)))).toEqual(new Set([null]));
  });

  test('come before the annotation that belongs to their text', async () => {
    const { client } = await start();
    const events = await collect(await startStream(client));
    let length = 0;
    const reached: number[] = [];
    const indexes: number[] = [];
    for (const event of events) {
      if (event.type === 'response.output_text.delta') length += event.delta.length;
      if (event.type !== 'response.output_text.annotation.added') continue;
      reached.push(length);
      indexes.push((event.annotation as { index: number }).index);
    }
    expect(indexes.length).toBeGreaterThan(1);
    expect(reached).toEqual(indexes);
  });
});

describe('a conversation', () => {
  test('lists items of all kinds page by page, in both orders', async () => {
    const { client, control } = await start();
    await order(control, replies.reasoning({ summary: ['Hm.'] }, 'Done.'));
    const { conversation, response } = await startRun(client);
    await client.responses.retrieve(response.id);
    await client.responses.create({
      model,
      input: 'Search',
      conversation: conversation.id,
      tools: [fileSearch],
    });
    await order(control, replies.functionCall('weather', {}));
    const { output } = (await client.responses.create({
      model,
      input: 'Weather?',
      conversation: conversation.id,
    })) as Response;
    const call_id = output[0]?.type === 'function_call' ? output[0].call_id : '';
    const input = [{ type: 'function_call_output' as const, call_id, output: 'Sunny' }];
    await client.responses.create({ model, input, conversation: conversation.id });
    const expected = [
      ...['message', 'reasoning', 'message'],
      ...['message', 'file_search_call', 'message'],
      ...['message', 'function_call'],
      ...['function_call_output', 'message'],
    ];
    for (const limit of [1, 3, 5, 10, 100]) {
      const ascending: string[] = [];
      const descending: string[] = [];
      const list = (direction: 'asc' | 'desc') =>
        client.conversations.items.list(conversation.id, { limit, order: direction });
      for await (const item of list('asc')) ascending.push(item.type);
      for await (const item of list('desc')) descending.push(item.type);
      expect(ascending).toEqual(expected);
      expect(descending).toEqual(expected.toReversed());
      expect((await list('desc')).has_more).toBe(limit < expected.length);
      expect((await list('asc')).has_more).toBe(limit < expected.length);
    }
  });
});
