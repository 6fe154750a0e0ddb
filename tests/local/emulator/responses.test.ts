import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { collect, fileSearch, model, type Summary, start, startRun, until } from '../../support/emulator.ts';

const responseFields = [
  ...['id', 'object', 'created_at', 'status', 'background', 'completed_at', 'conversation', 'error'],
  ...['incomplete_details', 'instructions', 'max_output_tokens', 'metadata', 'model', 'output'],
  ...['parallel_tool_calls', 'previous_response_id', 'prompt_cache_key', 'reasoning', 'safety_identifier'],
  ...['service_tier', 'store', 'temperature', 'text', 'tool_choice', 'tools', 'top_logprobs', 'top_p'],
  ...['truncation', 'usage', 'user'],
];

describe('background responses', () => {
  test('go from queued over in_progress to completed and then append to the conversation', async () => {
    const { client } = await start({ queueMs: 100, runMs: 200 });
    const { conversation, response } = await startRun(client);
    expect(response).toMatchObject({ status: 'queued', output: [], usage: null, completed_at: null });
    expect((await client.conversations.items.list(conversation.id)).data).toEqual([]);
    const seen = new Set<string | undefined>([response.status]);
    let last = response;
    while (last.status !== 'completed') {
      last = await client.responses.retrieve(response.id);
      seen.add(last.status);
      await scheduler.wait(10);
    }
    // A slow machine may miss a status, but none comes out of its order.
    const order = ['queued', 'in_progress', 'completed'] as const;
    expect([...seen]).toEqual(order.filter((status) => seen.has(status)));
    expect(last.completed_at).toBeGreaterThanOrEqual(last.created_at);
    const { data } = await client.conversations.items.list(conversation.id, { order: 'asc' });
    expect(data.map((item) => ('role' in item ? item.role : item.type))).toEqual(['user', 'assistant']);
    expect(data[1]).toEqual(last.output[0]);
  });

  test('are queued when created and completed at the next look when no time is set', async () => {
    const { client } = await start();
    const { response } = await startRun(client);
    expect(response.status).toBe('queued');
    expect((await client.responses.retrieve(response.id)).status).toBe('completed');
  });

  test('have every field that the API has, and repeat what was asked for', async () => {
    const { client } = await start();
    const { id: conversation } = await client.conversations.create();
    const asked = {
      instructions: 'Be brief.',
      metadata: { run: 'run_1' },
      temperature: 0.2,
      max_output_tokens: 10_000,
      reasoning: { effort: 'low' as const },
    };
    const body = { ...asked, model, input: 'Hi', conversation: { id: conversation }, tools: [fileSearch] };
    const { id } = await client.responses.create({ ...body, background: true });
    const response = await client.responses.retrieve(id);
    expect(Object.keys(response)).toEqual(expect.arrayContaining(responseFields));
    expect(response).toMatchObject({
      ...asked,
      object: 'response',
      model,
      background: true,
      store: true,
      error: null,
    });
    expect(response).toMatchObject({ conversation: { id: conversation }, tools: [fileSearch] });
    expect(response.reasoning).toEqual({ effort: 'low', summary: null });
    const { usage } = response;
    expect(usage?.total_tokens).toBe((usage?.input_tokens ?? NaN) + (usage?.output_tokens ?? NaN));
    expect(usage).toMatchObject({
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 0 },
    });
  });

  test('lock their conversation until they end', async () => {
    const { client, control } = await start();
    await control('POST', 'outcomes', { outcome: { status: 'never' } });
    const { conversation, response } = await startRun(client);
    const second = { model, input: 'Me too', background: true, conversation: conversation.id };
    await expect(client.responses.create(second)).rejects.toMatchObject({
      status: 400,
      code: 'conversation_locked',
      type: 'invalid_request_error',
      param: 'conversation',
    });
    await client.responses.cancel(response.id);
    expect((await client.responses.create(second)).status).toBe('queued');
  });

  test('are cancelled without a trace in the conversation, and stay cancelled', async () => {
    const { client } = await start({ runMs: 60_000 });
    const { conversation, response } = await startRun(client);
    const cancelled = await client.responses.cancel(response.id);
    expect(cancelled).toMatchObject({ status: 'cancelled', output: [], completed_at: null });
    expect(await client.responses.cancel(response.id)).toEqual(cancelled);
    // Only some methods of the client add the convenience `output_text`.
    expect(await client.responses.retrieve(response.id)).toEqual({ ...cancelled, output_text: '' });
    expect((await client.conversations.items.list(conversation.id)).data).toEqual([]);
  });

  test('that are completed cannot be cancelled', async () => {
    const { client } = await start();
    const { response } = await startRun(client);
    const completed = await client.responses.retrieve(response.id);
    expect(completed.status).toBe('completed');
    await expect(client.responses.cancel(response.id)).rejects.toMatchObject({
      status: 400,
      error: { message: 'Cannot cancel a completed response.' },
    });
    expect(await client.responses.retrieve(response.id)).toEqual(completed);
  });

  test('give their input items and can be deleted', async () => {
    const { client } = await start();
    const { response } = await startRun(client, 'What I asked');
    const { data } = await client.responses.inputItems.list(response.id);
    expect(data).toMatchObject([{ role: 'user', content: [{ type: 'input_text', text: 'What I asked' }] }]);
    await client.responses.delete(response.id);
    await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 });
  });
});

describe('responses that a client waits for', () => {
  test('come back completed', async () => {
    const { client } = await start({ runMs: 50 });
    const response = await client.responses.create({ model, input: 'Hello' });
    expect(response).toMatchObject({ status: 'completed', background: false });
    expect(response.output_text).toContain('There are 0 earlier messages');
    expect(await client.responses.retrieve(response.id)).toMatchObject({ id: response.id });
  });

  test('continue a previous response', async () => {
    const { client } = await start();
    const first = await client.responses.create({ model, input: 'Hello' });
    const second = await client.responses.create({ model, input: 'Again', previous_response_id: first.id });
    expect(second.output_text).toContain('There are 2 earlier messages');
  });

  test('are not kept when they are not to be stored', async () => {
    const { client } = await start();
    const { id } = await client.responses.create({ model, input: 'Hello', store: false });
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });

  test.each([false, true])('are stopped when the client leaves (stream: %s)', async (stream) => {
    const { client, control } = await start({ runMs: 60_000 });
    const { id: conversation } = await client.conversations.create();
    const leaving = new AbortController();
    const body = { model, input: 'Hello', conversation, stream };
    const wait = async () => {
      const result = await client.responses.create(body, { signal: leaving.signal });
      if (Symbol.asyncIterator in result) await collect(result);
    };
    const waiting = wait();
    await until(async () => (await control<Summary[]>('GET', 'responses')).length === 1);
    leaving.abort();
    await waiting.catch(() => undefined);
    await until(async () => (await control<Summary[]>('GET', 'responses'))[0]?.status === 'cancelled');
    expect((await client.conversations.items.list(conversation)).data).toEqual([]);
  });
});
