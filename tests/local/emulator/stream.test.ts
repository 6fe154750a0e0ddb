import { scheduler } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { Response } from 'openai/resources/responses/responses';
import {
  collect,
  model,
  start,
  startRun,
  startStream,
  textOf,
  typesOf,
  untilEnded,
} from '../../support/emulator.ts';

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
