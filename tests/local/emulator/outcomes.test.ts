import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { collect, start, startRun, startStream, untilEnded } from '../../support/emulator.ts';

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
