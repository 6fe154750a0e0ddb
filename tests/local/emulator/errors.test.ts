import { describe, expect, test } from '@jest/globals';
import { model, request, start } from '../../support/emulator.ts';

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
