import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { eventStreamResponse, type ServerSentEvent } from '../../../shared/http/eventStream.ts';

const createContext = () => ({
  signal: new AbortController().signal,
  outgoing: new ServerResponse(new IncomingMessage(new Socket())),
});

/** The chunks of a response to a client that reads as fast as it can. */
async function readChunks(events: () => AsyncIterable<ServerSentEvent>): Promise<string[]> {
  const { body } = eventStreamResponse(createContext(), 20_000, events);
  const decoder = new TextDecoder();
  return Array.fromAsync(body as unknown as ReadableStream<Uint8Array>, (chunk) => decoder.decode(chunk));
}

const idsIn = (text: string) => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);

async function* count(from: number, to: number): AsyncGenerator<ServerSentEvent> {
  for (let id = from; id <= to; id++)
    yield { id: String(id), event: 'message.delta', data: { delta: 'word ' } };
}

test('events that are there are sent together, in order and none twice', async () => {
  const chunks = await readChunks(() => count(1, 2_000));
  expect(idsIn(chunks.join(''))).toEqual(Array.from({ length: 2_000 }, (_, index) => String(index + 1)));
  expect(chunks.length).toBeLessThan(50);
});

test('an event waits for none that comes later, and a failure ends the response', async () => {
  let release: () => void = () => undefined;
  const later = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* events() {
    yield* count(1, 1);
    await later;
    yield* count(2, 2);
    throw new Error('the rest is lost');
  }
  const { body } = eventStreamResponse(createContext(), 20_000, events);
  let text = '';
  for await (const chunk of body as unknown as ReadableStream<Uint8Array>) {
    text += new TextDecoder().decode(chunk);
    if (idsIn(text).length > 0) release();
  }
  expect(idsIn(text)).toEqual(['1', '2']);
});
