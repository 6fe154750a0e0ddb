import { describe, expect, test } from '@jest/globals';
import {
  collect,
  drain,
  model,
  type Summary,
  start,
  startRun,
  streamRun,
  until,
  untilEnded,
} from '../../support/emulator.ts';

const cancelPath = { method: 'POST', path: '/v1/responses/*/cancel' };

describe('a cancel', () => {
  test.each([409, 500, 503])('that answers %i always leaves the response running', async (status) => {
    const { client, control } = await start({ runMs: 300 });
    await control('POST', 'faults', { match: cancelPath, times: null, fault: { kind: 'status', status } });
    const { response } = await startRun(client);
    await expect(client.responses.cancel(response.id)).rejects.toMatchObject({ status });
    await expect(client.responses.cancel(response.id)).rejects.toMatchObject({ status });
    expect((await untilEnded(client, response.id)).status).toBe('completed');
  });

  test('can be followed by a late completion, which still appends to the conversation', async () => {
    const { client, control } = await start({ runMs: 60_000 });
    await control('PATCH', 'timing', { completeAfterCancelMs: 300 });
    const { conversation, stream } = await streamRun(client);
    const shown: string[] = [];
    let id = '';
    for await (const event of stream) {
      shown.push(event.type);
      if (event.type !== 'response.in_progress') continue;
      id = event.response.id;
      expect((await client.responses.cancel(id)).status).toBe('cancelled');
    }
    expect(shown).not.toContain('response.completed');
    expect((await client.conversations.items.list(conversation)).data).toEqual([]);
    await until(async () => (await client.responses.retrieve(id)).status !== 'cancelled');
    const { output_text, ...completed } = await client.responses.retrieve(id);
    expect(completed.status).toBe('completed');
    expect(output_text).toContain('emulator');
    expect((await client.conversations.items.list(conversation)).data).toHaveLength(2);
    const replayed = await collect(await client.responses.retrieve(id, { stream: true }));
    expect(replayed.at(-1)).toMatchObject({ type: 'response.completed', response: completed });
    const [listed] = await control<Summary[]>('GET', 'responses');
    expect(listed).toMatchObject({ status: 'completed', cancelledAtMs: expect.any(Number) });
  });

  test('can be followed by a late completion of what never would have ended', async () => {
    const { client, control } = await start({ queueMs: 60_000 });
    await control('POST', 'outcomes', { outcome: { status: 'never' } });
    await control('PATCH', 'timing', { completeAfterCancelMs: 50 });
    let id = '';
    for await (const event of (await streamRun(client)).stream) {
      if (event.type !== 'response.queued') continue;
      id = event.response.id;
      await client.responses.cancel(id);
    }
    await until(async () => (await client.responses.retrieve(id)).status === 'completed');
    const replayed = await collect(await client.responses.retrieve(id, { stream: true }));
    expect(replayed.at(-1)?.type).toBe('response.completed');
  });

  test('keeps the conversation locked for as long as ordered', async () => {
    const { client, control } = await start({ runMs: 60_000 });
    await control('PATCH', 'timing', { unlockAfterCancelMs: 300 });
    const { conversation, response } = await startRun(client);
    expect((await client.responses.cancel(response.id)).status).toBe('cancelled');
    const second = { model, input: 'Me too', background: true, conversation: conversation.id };
    await expect(client.responses.create(second)).rejects.toMatchObject({ code: 'conversation_locked' });
    const isCreated = () =>
      client.responses.create(second).then(
        () => true,
        () => false,
      );
    await until(isCreated);
    expect((await client.conversations.items.list(conversation.id)).data).toEqual([]);
  });

  test('of an unlocked conversation does not take the lock of the next response', async () => {
    const { client } = await start({ runMs: 60_000 });
    const { conversation, response } = await startRun(client);
    await client.responses.cancel(response.id);
    const { stream } = await streamRun(client, conversation.id);
    const reading = drain(stream);
    await client.responses.cancel(response.id);
    const third = { model, input: 'Me too', background: true, conversation: conversation.id };
    await expect(client.responses.create(third)).rejects.toMatchObject({ code: 'conversation_locked' });
    stream.controller.abort();
    await reading;
  });
});
