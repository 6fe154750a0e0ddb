import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scheduler } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import type { Response } from 'openai/resources/responses/responses';
import {
  type Control,
  cleanups,
  collect,
  fileSearch,
  model,
  request,
  type Summary,
  start,
  startRun,
  startStream,
  textOf,
  typesOf,
  until,
  untilEnded,
} from '../../support/emulator.ts';

function citedFiles(response: Response) {
  const parts = response.output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const annotations = parts.flatMap((part) => (part.type === 'output_text' ? part.annotations : []));
  return annotations.map((annotation) => (annotation.type === 'file_citation' ? annotation.filename : ''));
}

describe('conversations', () => {
  test('keeps metadata and items, and replaces the metadata on update', async () => {
    const { client } = await start();
    const items = [{ role: 'user' as const, content: 'Good morning' }];
    const { id, ...created } = await client.conversations.create({ metadata: { project: 'demo' }, items });
    expect(id).toMatch(/^conv_[0-9a-f]{48,}$/);
    expect(created).toEqual({
      object: 'conversation',
      created_at: expect.any(Number),
      metadata: { project: 'demo' },
    });
    await client.conversations.update(id, { metadata: { team: 'blue' } });
    expect(await client.conversations.retrieve(id)).toMatchObject({ metadata: { team: 'blue' } });
    const { data } = await client.conversations.items.list(id);
    const content = [{ type: 'input_text', text: 'Good morning' }];
    expect(data).toEqual([
      { id: expect.stringMatching(/^msg_/), type: 'message', status: 'completed', role: 'user', content },
    ]);
  });

  test.each(['asc', 'desc'] as const)('pages through all items in %s order', async (order) => {
    const { client } = await start();
    const { id } = await client.conversations.create();
    const items = Array.from({ length: 7 }, (_, index) => ({
      role: 'user' as const,
      content: `message ${index}`,
    }));
    const { data } = await client.conversations.items.create(id, { items });
    const listed: (string | undefined)[] = [];
    for await (const item of client.conversations.items.list(id, { limit: 3, order })) listed.push(item.id);
    const ids = data.map((item) => item.id);
    expect(listed).toEqual(order === 'asc' ? ids : ids.toReversed());
  });

  test('lists the newest item first and says where a page ends', async () => {
    const { client, emulator } = await start();
    const { id } = await client.conversations.create({
      items: ['one', 'two', 'three'].map((content) => ({ role: 'user' as const, content })),
    });
    const page = await client.conversations.items.list(id, { limit: 2 });
    const texts = page.data.map((item) => (item.type === 'message' ? item.content : []));
    expect(texts).toMatchObject([[{ text: 'three' }], [{ text: 'two' }]]);
    expect(page).toMatchObject({ has_more: true, last_id: page.data[1]?.id });
    const body = await (await request(emulator, 'GET', `/conversations/${id}/items?limit=2`)).json();
    expect(body).toMatchObject({ object: 'list', first_id: page.data[0]?.id });
  });

  test('reads and deletes one item, and then the conversation', async () => {
    const { client } = await start();
    const { id } = await client.conversations.create({ items: [{ role: 'user', content: 'Hello' }] });
    const [item] = (await client.conversations.items.list(id)).data;
    const itemId = item?.id ?? '';
    expect(await client.conversations.items.retrieve(itemId, { conversation_id: id })).toEqual(item);
    expect(await client.conversations.items.delete(itemId, { conversation_id: id })).toMatchObject({ id });
    await expect(client.conversations.items.retrieve(itemId, { conversation_id: id })).rejects.toMatchObject({
      status: 404,
    });
    expect(await client.conversations.delete(id)).toEqual({
      id,
      object: 'conversation.deleted',
      deleted: true,
    });
    await expect(client.conversations.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });
});

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

describe('streams', () => {
  test('send every event in the real order, without a gap in the sequence', async () => {
    const { client } = await start({ queueMs: 20, runMs: 100 });
    const events = await collect(await startStream(client));
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    const types = typesOf(events);
    // Annotations come between the deltas, where their text is.
    const isFirst = (type: string, index: number) =>
      types.indexOf(type) === index || !type.includes('output_text');
    expect(types.filter(isFirst)).toEqual(streamOrder);
    const last = events.at(-1);
    expect(last).toMatchObject({ type: 'response.completed', response: { status: 'completed' } });
    const response = await client.responses.retrieve((events[0] as { response: Response }).response.id);
    expect(textOf(events)).toBe(response.output_text);
  });

  test('end with what the response is when it is looked up', async () => {
    const { client } = await start({ runMs: 50 });
    const last = (await collect(await startStream(client))).at(-1) as { response: Response };
    const { output_text, ...looked } = await client.responses.retrieve(last.response.id);
    expect(last.response).toEqual(looked);
    expect(output_text).not.toBe('');
  });

  test('are picked up again without loss or repetition', async () => {
    const { client } = await start({ queueMs: 20, runMs: 300 });
    const before = await collect(await startStream(client), 12);
    const { response } = before[0] as { response: Response };
    const starting_after = before.at(-1)?.sequence_number ?? NaN;
    const after = await collect(
      await client.responses.retrieve(response.id, { stream: true, starting_after }),
    );
    const replayed = await collect(await client.responses.retrieve(response.id, { stream: true }));
    expect([...before, ...after]).toEqual(replayed);
    expect(textOf(replayed)).toBe((await client.responses.retrieve(response.id)).output_text);
  });

  test('can be left without stopping a background response', async () => {
    const { client } = await start({ runMs: 100 });
    const [created] = await collect(await startStream(client), 1);
    const { response } = created as { response: Response };
    expect((await untilEnded(client, response.id)).status).toBe('completed');
  });

  test('are refused for a response that was created without one', async () => {
    const { client } = await start();
    const { response } = await startRun(client);
    await expect(client.responses.retrieve(response.id, { stream: true })).rejects.toMatchObject({
      status: 400,
    });
  });

  test('just end when the response is cancelled', async () => {
    const { client, control } = await start();
    await control('POST', 'outcomes', { outcome: { status: 'never' } });
    const types: string[] = [];
    for await (const event of await startStream(client)) {
      types.push(event.type);
      if (event.type === 'response.in_progress') await client.responses.cancel(event.response.id);
    }
    expect(types).toEqual(['response.created', 'response.queued', 'response.in_progress']);
  });

  test('of a cancelled response show later only what had happened before', async () => {
    const { client } = await start({ runMs: 2000 });
    const [created] = await collect(await startStream(client), 6);
    const { id } = (created as { response: Response }).response;
    await client.responses.cancel(id);
    const replay = async () => collect(await client.responses.retrieve(id, { stream: true }));
    const events = await replay();
    await scheduler.wait(500);
    expect(await replay()).toEqual(events);
    expect(events.length).toBeGreaterThanOrEqual(6);
  });

  test('of a response nobody waits for in the background start at once', async () => {
    const { client } = await start({ queueMs: 60_000, runMs: 20 });
    const types = (await collect(await client.responses.create({ model, input: 'Hi', stream: true }))).map(
      ({ type }) => type,
    );
    expect(types).toContain('response.completed');
    expect(types).not.toContain('response.queued');
  });
});

describe('answers', () => {
  test.each([
    [
      'Can you help me understand the authentication flow in this project?',
      'authentication.md',
      'access token',
    ],
    ['Explain the database schema for users and teams', 'database-schema.md', 'CREATE TABLE users'],
    ['What are the best practices for error handling in this codebase?', 'error-handling.md', 'AppError'],
  ])('to "%s" quote %s', async (input, filename, words) => {
    const { client } = await start();
    const response = await client.responses.create({ model, input, tools: [fileSearch] });
    expect(response.output.map((item) => item.type)).toEqual(['file_search_call', 'message']);
    expect(response.output_text).toContain(words);
    expect(response.output_text).toContain(`\`${filename}\``);
    expect(response.output_text).toMatch(/^This is the local emulator/);
    expect(citedFiles(response)[0]).toBe(filename);
  });

  test('to a follow-up that names nothing speak of the question before', async () => {
    const { client } = await start();
    const { id: conversation } = await client.conversations.create();
    const ask = (input: string) =>
      client.responses.create({ model, input, conversation, tools: [fileSearch] });
    await ask('How is a deployment rolled back?');
    expect(citedFiles(await ask('Could you explain that in more detail?'))[0]).toBe('deployment.md');
    expect(citedFiles(await ask('And what is a refresh token?'))[0]).toBe('authentication.md');
  });

  test('say so when the documents hold nothing', async () => {
    const { client } = await start();
    const response = await client.responses.create({ model, input: 'Pasta carbonara?', tools: [fileSearch] });
    expect(response.output_text).toContain('found nothing');
    expect(citedFiles(response)).toEqual([]);
  });

  test('hold the search results only when they are asked for', async () => {
    const { client } = await start();
    const body = { model, input: 'What is the burndown?', tools: [fileSearch] };
    const { id, output } = await client.responses.create(body);
    expect(output[0]).toMatchObject({ type: 'file_search_call', status: 'completed', results: null });
    const { output: included } = await client.responses.retrieve(id, {
      include: ['file_search_call.results'],
    });
    expect(included[0]).toMatchObject({ results: [{ filename: 'sprint-planning.md', score: 1 }] });
  });

  test('are cut at max_output_tokens', async () => {
    const { client } = await start();
    const input = 'Explain the database schema for users and teams';
    const response = await client.responses.create({
      model,
      input,
      tools: [fileSearch],
      max_output_tokens: 20,
    });
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      completed_at: null,
      usage: { output_tokens: 20 },
    });
    expect(response.output.at(-1)).toMatchObject({ status: 'incomplete' });
    expect(response.output_text).toHaveLength(80);
  });
});

describe('errors', () => {
  test.each([
    ['a missing model', '{"input": "Hi"}', 'model', 'missing_required_parameter'],
    ['malformed JSON', '{"model": ', null, null],
    ['nothing to answer', '{"model": "m"}', 'input', 'missing_required_parameter'],
    ['an unknown parameter', '{"model": "m", "input": "Hi", "modle": 1}', 'modle', 'unknown_parameter'],
    [
      'an unknown role',
      '{"model": "m", "input": [{"role": "boss", "content": ""}]}',
      'input[0].role',
      'invalid_value',
    ],
    [
      'background without store',
      '{"model": "m", "input": "Hi", "background": true, "store": false}',
      'background',
      null,
    ],
    [
      'too few tokens',
      '{"model": "m", "input": "Hi", "max_output_tokens": 1}',
      'max_output_tokens',
      'integer_below_min_value',
    ],
    [
      'a temperature too high',
      '{"model": "m", "input": "Hi", "temperature": 3}',
      'temperature',
      'decimal_above_max_value',
    ],
  ])('answers 400 for %s', async (_, body, param, code) => {
    const { emulator, control } = await start();
    const response = await request(emulator, 'POST', '/responses', body);
    expect(response.status).toBe(400);
    const error = { message: expect.any(String), type: 'invalid_request_error', param, code };
    expect(await response.json()).toEqual({ error });
    expect(await control('GET', 'responses')).toEqual([]);
  });

  test.each([
    ['17 pairs', Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`key${index}`, '']))],
    ['a key of 65 characters', { ['k'.repeat(65)]: '' }],
    ['a value of 513 characters', { key: 'v'.repeat(513) }],
    ['a number', { key: 1 as unknown as string }],
  ])('answers 400 for metadata with %s', async (_, metadata) => {
    const { client } = await start();
    await expect(client.conversations.create({ metadata })).rejects.toMatchObject({ status: 400 });
  });

  test.each(['limit=0', 'limit=101', 'limit=few', 'order=random', 'after=msg_unknown'])(
    'answers 400 for a list with %s',
    async (query) => {
      const { client, emulator } = await start();
      const { id } = await client.conversations.create();
      expect((await request(emulator, 'GET', `/conversations/${id}/items?${query}`)).status).toBe(400);
    },
  );

  test('answers 404 for what it does not know', async () => {
    const { client, emulator } = await start();
    const unknown = { status: 404, type: 'invalid_request_error' };
    const message = expect.stringContaining("Conversation with id 'conv_x' not found.");
    await expect(client.conversations.retrieve('conv_x')).rejects.toMatchObject({ ...unknown, message });
    const body = { model, input: 'Hi', conversation: 'conv_x' };
    await expect(client.responses.create(body)).rejects.toMatchObject({ ...unknown, message });
    await expect(client.responses.retrieve('resp_x')).rejects.toMatchObject(unknown);
    await expect(client.responses.cancel('resp_x')).rejects.toMatchObject(unknown);
    expect((await request(emulator, 'GET', '/assistants')).status).toBe(404);
    expect((await request(emulator, 'DELETE', '/responses')).status).toBe(405);
  });

  test('demands a bearer token, and the right one when there is one', async () => {
    const { emulator } = await start({ apiKey: 'right' });
    const statusWith = async (headers: Record<string, string>) =>
      (await fetch(`${emulator.url}/models`, { headers })).status;
    expect(await statusWith({})).toBe(401);
    expect(await statusWith({ authorization: 'Bearer wrong' })).toBe(401);
    expect(await statusWith({ authorization: 'Bearer right' })).toBe(200);
  });

  test('sends the headers of the real API', async () => {
    const { client } = await start();
    const { response } = await client.responses.create({ model, input: 'Hi' }).withResponse();
    const names = ['limit', 'remaining', 'reset'].flatMap((what) => [`${what}-requests`, `${what}-tokens`]);
    const expected = ['x-request-id', 'openai-processing-ms', ...names.map((name) => `x-ratelimit-${name}`)];
    expect([...response.headers.keys()]).toEqual(expect.arrayContaining(expected));
  });
});

describe('faults', () => {
  const create = { method: 'POST', path: '/v1/responses' };
  const body = { model, input: 'Hi', background: true };
  const runs = async (control: Control) => (await control<Summary[]>('GET', 'responses')).length;

  test('status answers with it and does nothing', async () => {
    const { client, control } = await start();
    const fault = {
      kind: 'status',
      status: 429,
      code: 'rate_limit_exceeded',
      headers: { 'retry-after': '7' },
    };
    await control('POST', 'faults', { match: create, fault });
    const error = await client.responses.create(body).catch((caught) => caught);
    expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect(error.headers.get('retry-after')).toBe('7');
    expect(await runs(control)).toBe(0);
    await client.responses.create(body);
    expect(await runs(control)).toBe(1);
  });

  test.each([
    ['hang', /^Connection error|timed out/, 0],
    ['hang_after', /^Connection error|timed out/, 1],
    ['drop', /^Connection error|timed out/, 0],
    ['drop_after', /^Connection error|timed out/, 1],
    ['garbage', /is not valid JSON/, 0],
  ])('%s leaves the client without an answer', async (kind, message, started) => {
    const { client, control } = await start();
    await control('POST', 'faults', { match: create, fault: { kind } });
    await expect(client.responses.create(body, { timeout: 500 })).rejects.toThrow(message);
    expect(await runs(control)).toBe(started);
  });

  test('hang_after leaves the conversation locked by what was started', async () => {
    const { client, control } = await start({ runMs: 60_000 });
    await control('POST', 'faults', { match: create, fault: { kind: 'hang_after' } });
    const { id: conversation } = await client.conversations.create();
    await expect(client.responses.create({ ...body, conversation }, { timeout: 500 })).rejects.toThrow();
    await expect(client.responses.create({ ...body, conversation })).rejects.toMatchObject({
      code: 'conversation_locked',
    });
  });

  test('delay answers normally, later', async () => {
    const { client, control } = await start();
    await control('POST', 'faults', { match: create, fault: { kind: 'delay', ms: 300 } });
    await expect(client.responses.create(body, { timeout: 50 })).rejects.toThrow();
    expect((await client.responses.create(body)).status).toBe('queued');
    await until(async () => (await runs(control)) === 2);
  });

  test('hit only the requests that match, as often as ordered', async () => {
    const { client, control } = await start();
    const fault = { kind: 'status', status: 500 };
    const { id } = await client.responses.create(body);
    await control('POST', 'faults', { match: { method: 'GET', path: '/v1/responses/*' }, times: 2, fault });
    await client.responses.create(body);
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 500 });
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 500 });
    await client.responses.retrieve(id);
    await control('POST', 'faults', { match: { ...create, exact: true }, times: null, fault });
    // Below the path, and so not hit; the emulator itself refuses it.
    await expect(client.responses.cancel(id)).rejects.toMatchObject({ status: 400 });
    await expect(client.responses.create(body)).rejects.toMatchObject({ status: 500 });
    await expect(client.responses.create(body)).rejects.toMatchObject({ status: 500 });
    await control('DELETE', 'faults');
    await client.responses.create(body);
  });

  test('of an unknown kind are refused', async () => {
    const { control } = await start();
    await expect(control('POST', 'faults', { fault: { kind: 'fire' } })).rejects.toThrow('400');
    await expect(control('POST', 'outcomes', { outcome: { status: 'happy' } })).rejects.toThrow('400');
  });
});

describe('outcomes', () => {
  test('failed ends with the error and adds nothing to the conversation', async () => {
    const { client, control } = await start();
    await control('POST', 'outcomes', {
      outcome: { status: 'failed', code: 'server_error', message: 'Broken.' },
    });
    const { conversation, response } = await startRun(client);
    expect(await client.responses.retrieve(response.id)).toMatchObject({
      status: 'failed',
      error: { code: 'server_error', message: 'Broken.' },
      output: [],
    });
    expect((await client.conversations.items.list(conversation.id)).data).toEqual([]);
    expect((await untilEnded(client, (await startRun(client)).response.id)).status).toBe('completed');
  });

  test.each(['max_output_tokens', 'content_filter'])('incomplete ends with %s', async (reason) => {
    const { client, control } = await start();
    await control('POST', 'outcomes', { outcome: { status: 'incomplete', reason } });
    const { response } = await startRun(client);
    const ended = await client.responses.retrieve(response.id);
    expect(ended).toMatchObject({ status: 'incomplete', incomplete_details: { reason } });
  });

  test.each([
    [{ status: 'failed' }, 'response.failed'],
    [{ status: 'incomplete', reason: 'content_filter' }, 'response.incomplete'],
  ])('%j is the last event of a stream', async (outcome, type) => {
    const { client, control } = await start();
    await control('POST', 'outcomes', { outcome });
    expect((await collect(await startStream(client))).at(-1)).toMatchObject({ type });
  });

  test('never stays in progress until it is cancelled', async () => {
    const { client, control } = await start();
    await control('POST', 'outcomes', { outcome: { status: 'never' } });
    const { response } = await startRun(client);
    await scheduler.wait(30);
    expect((await client.responses.retrieve(response.id)).status).toBe('in_progress');
    expect((await client.responses.cancel(response.id)).status).toBe('cancelled');
  });
});

describe('control API', () => {
  test('makes responses unreadable, though what they said stays in the conversation', async () => {
    const { client, control } = await start();
    const { conversation, response } = await startRun(client);
    await control('POST', 'forget', { responseId: response.id });
    await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 });
    expect((await client.conversations.items.list(conversation.id)).data).toHaveLength(2);
    const other = await startRun(client);
    await control('POST', 'forget', {});
    await expect(client.responses.retrieve(other.response.id)).rejects.toMatchObject({ status: 404 });
  });

  test('shows what was asked, without tokens or bodies in the calls', async () => {
    const { client, control } = await start();
    const asked = { model, instructions: 'Be kind.', metadata: { run: 'run_1' } };
    const { id } = await client.responses.create({ ...asked, input: 'Who am I?', background: true });
    await client.responses.retrieve(id);
    await client.responses.retrieve('resp_unknown').catch(() => undefined);
    expect(await control('GET', 'responses')).toEqual([
      {
        ...asked,
        id,
        conversation: null,
        status: 'completed',
        inputText: 'Who am I?',
        createdAtMs: expect.any(Number),
        cancelledAtMs: null,
        endedAtMs: expect.any(Number),
        responsesOfRun: null,
      },
    ]);
    expect(await control('GET', 'calls')).toEqual({
      calls: [
        { method: 'POST', path: '/v1/responses', status: 200 },
        { method: 'GET', path: `/v1/responses/${id}`, status: 200 },
        { method: 'GET', path: '/v1/responses/resp_unknown', status: 404 },
      ],
      counts: { 'POST /v1/responses': 1, 'GET /v1/responses/*': 2 },
    });
    await control('DELETE', 'calls');
    expect(await control('GET', 'calls')).toEqual({ calls: [], counts: {} });
  });

  test('changes the times of later responses and forgets everything', async () => {
    const { client, control } = await start();
    await control('PATCH', 'timing', { queueMs: 60_000 });
    const { conversation, response } = await startRun(client);
    expect((await client.responses.retrieve(response.id)).status).toBe('queued');
    await control('DELETE', 'state');
    await expect(client.conversations.retrieve(conversation.id)).rejects.toMatchObject({ status: 404 });
    const { response: next } = await startRun(client);
    expect((await client.responses.retrieve(next.id)).status).toBe('completed');
  });
});

describe('a restart', () => {
  function temporaryFolder() {
    const folder = mkdtempSync(join(tmpdir(), 'emulator-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    return folder;
  }

  test('keeps conversations and responses, and ends those in flight', async () => {
    const dataDir = temporaryFolder();
    const first = await start({ dataDir, runMs: 300 });
    const { conversation, response } = await startRun(first.client);
    const streamed = await collect(await startStream(first.client), 4);
    await first.emulator.close();
    const { client } = await start({ dataDir });
    const second = { model, input: 'Me too', conversation: conversation.id };
    expect((await untilEnded(client, response.id)).status).toBe('completed');
    expect((await client.responses.create(second)).status).toBe('completed');
    expect((await client.conversations.items.list(conversation.id)).data).toHaveLength(4);
    const { id } = (streamed[0] as { response: Response }).response;
    const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: 3 }));
    expect([...streamed, ...rest]).toEqual(
      await collect(await client.responses.retrieve(id, { stream: true })),
    );
  });

  test('keeps the lock of what still runs, and what was deleted away', async () => {
    const dataDir = temporaryFolder();
    const first = await start({ dataDir, runMs: 60_000 });
    const { conversation, response } = await startRun(first.client);
    const gone = await first.client.conversations.create();
    await first.client.conversations.delete(gone.id);
    await first.emulator.close();
    const { client } = await start({ dataDir });
    const second = { model, input: 'Me too', conversation: conversation.id };
    await expect(client.responses.create(second)).rejects.toMatchObject({ code: 'conversation_locked' });
    await expect(client.conversations.retrieve(gone.id)).rejects.toMatchObject({ status: 404 });
    expect((await client.responses.cancel(response.id)).status).toBe('cancelled');
  });
});

test('runs as a process of its own that says where it listens and ends when told', async () => {
  const main = fileURLToPath(new URL('../../../local/emulator/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '--queue-ms', '0', '--run-ms', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const { url } = JSON.parse(String(line));
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/);
  const client = new OpenAI({ baseURL: url, apiKey: 'test' });
  expect((await client.models.list()).data.length).toBeGreaterThan(0);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

const streamOrder = [
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.output_item.added',
  'response.file_search_call.in_progress',
  'response.file_search_call.searching',
  'response.file_search_call.completed',
  'response.output_item.done',
  'response.output_item.added',
  'response.content_part.added',
  'response.output_text.delta',
  'response.output_text.annotation.added',
  'response.output_text.done',
  'response.content_part.done',
  'response.output_item.done',
  'response.completed',
];

const responseFields = [
  ...['id', 'object', 'created_at', 'status', 'background', 'completed_at', 'conversation', 'error'],
  ...['incomplete_details', 'instructions', 'max_output_tokens', 'metadata', 'model', 'output'],
  ...['parallel_tool_calls', 'previous_response_id', 'prompt_cache_key', 'reasoning', 'safety_identifier'],
  ...['service_tier', 'store', 'temperature', 'text', 'tool_choice', 'tools', 'top_logprobs', 'top_p'],
  ...['truncation', 'usage', 'user'],
];
