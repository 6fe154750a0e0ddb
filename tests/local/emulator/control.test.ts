import { describe, expect, test } from '@jest/globals';
import { model, start, startRun } from '../../support/emulator.ts';

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
        input: [expect.objectContaining({ type: 'message', role: 'user' })],
        tools: [],
        output: [expect.objectContaining({ type: 'message', role: 'assistant' })],
        createdAtMs: expect.any(Number),
        cancelledAtMs: null,
        endedAtMs: expect.any(Number),
        responsesOfRun: null,
      },
    ]);
    expect(await control('GET', 'calls')).toEqual({
      calls: [
        { method: 'POST', path: '/v1/responses', query: '', status: 200 },
        { method: 'GET', path: `/v1/responses/${id}`, query: '', status: 200 },
        { method: 'GET', path: '/v1/responses/resp_unknown', query: '', status: 404 },
      ],
      counts: { 'POST /v1/responses': 1, 'GET /v1/responses/*': 2 },
    });
    await control('DELETE', 'calls');
    expect(await control('GET', 'calls')).toEqual({ calls: [], counts: {} });
  });

  test('changes the times of later responses and forgets everything, late requests for it included', async () => {
    const { client, control } = await start();
    await control('PATCH', 'timing', { queueMs: 60_000 });
    const { conversation, response } = await startRun(client);
    expect((await client.responses.retrieve(response.id)).status).toBe('queued');
    await control('DELETE', 'state');
    await control('POST', 'faults', { match: { path: '/v1/*' }, fault: { kind: 'status', status: 500 } });
    await expect(client.conversations.retrieve(conversation.id)).rejects.toMatchObject({ status: 404 });
    expect(await control('GET', 'calls')).toEqual({ calls: [], counts: {} });
    await control('DELETE', 'faults');
    const { response: next } = await startRun(client);
    expect((await client.responses.retrieve(next.id)).status).toBe('completed');
  });

  test('resets what tests have set, and keeps conversations and responses', async () => {
    const { client, control } = await start();
    const { conversation } = await startRun(client);
    await control('PATCH', 'timing', { queueMs: 60_000 });
    await control('POST', 'outcomes', { outcome: { status: 'failed' } });
    await control('POST', 'faults', { match: { method: 'GET', path: '/v1/*' }, fault: { kind: 'drop' } });
    await control('POST', 'reset');
    expect(await control('GET', 'calls')).toEqual({ calls: [], counts: {} });
    expect((await client.conversations.retrieve(conversation.id)).id).toBe(conversation.id);
    const { response } = await startRun(client);
    expect((await client.responses.retrieve(response.id)).status).toBe('completed');
  });
});
