import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scheduler } from 'node:timers/promises';
import { afterEach } from '@jest/globals';
import OpenAI from 'openai';
import type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../local/emulator/emulator.ts';

export const model = 'gpt-5-mini';
export const fileSearch = { type: 'file_search' as const, vector_store_ids: ['vs_demo'] };

/** A response as the control API lists it. */
export interface Summary {
  id: string;
  status: string;
  createdAtMs: number;
  cancelledAtMs: number | null;
  endedAtMs: number | null;
  responsesOfRun: number | null;
}

export type Control = ReturnType<typeof connect>['control'];

export const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function start(options: EmulatorOptions = {}) {
  const emulator = await startEmulator({ queueMs: 0, runMs: 0, indexMs: 0, ...options });
  cleanups.push(() => emulator.close());
  return { emulator, ...connect(emulator) };
}

function connect(emulator: Emulator) {
  const client = new OpenAI({ baseURL: emulator.url, apiKey: 'test', maxRetries: 0, timeout: 10_000 });
  const control = async <T = unknown>(method: string, path: string, body?: unknown): Promise<T> => {
    const options = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(new URL(`/control/${path}`, emulator.url), options);
    if (!response.ok) throw new Error(`control API answered ${response.status}`);
    return response.json() as Promise<T>;
  };
  return { client, control };
}

/** Creates a folder that is removed after the test. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'emulator-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

export function request(emulator: Emulator, method: string, path: string, body?: string) {
  const headers = { authorization: 'Bearer test', 'content-type': 'application/json' };
  return fetch(`${emulator.url}${path}`, { method, headers, ...(body !== undefined && { body }) });
}

export async function untilEnded(client: OpenAI, id: string): Promise<Response> {
  for (;;) {
    const response = await client.responses.retrieve(id);
    if (response.status !== 'queued' && response.status !== 'in_progress') return response;
    await scheduler.wait(10);
  }
}

export async function collect(stream: AsyncIterable<ResponseStreamEvent>, limit = Infinity) {
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) if (events.push(event) >= limit) break;
  return events;
}

export function textOf(events: ResponseStreamEvent[]) {
  return events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
}

export async function startRun(client: OpenAI, input = 'Hello') {
  const conversation = await client.conversations.create();
  const response = await client.responses.create({
    model,
    input,
    background: true,
    conversation: conversation.id,
  });
  return { conversation, response };
}

export async function startStream(client: OpenAI) {
  const input = 'Explain the database schema for users and teams';
  return client.responses.create({ model, input, background: true, stream: true, tools: [fileSearch] });
}

export async function until(condition: () => Promise<boolean>) {
  while (!(await condition())) await scheduler.wait(10);
}

/** Starts a streamed background response, on a new conversation by default. */
export async function streamRun(
  client: OpenAI,
  conversation?: string,
  metadata: Record<string, string> = {},
) {
  const id = conversation ?? (await client.conversations.create()).id;
  const body = { model, input: 'Hello', background: true, stream: true, conversation: id, metadata } as const;
  return { conversation: id, stream: await client.responses.create(body) };
}

/** Reads a stream until it fails or ends: what came, and how it ended. */
export async function drain(stream: AsyncIterable<ResponseStreamEvent>) {
  const events: ResponseStreamEvent[] = [];
  try {
    for await (const event of stream) events.push(event);
    return { events, error: null };
  } catch (error) {
    return { events, error };
  }
}

/** The id of the response whose stream begins with this event. */
export function idOf(event: ResponseStreamEvent | undefined): string {
  if (event?.type !== 'response.created') throw new Error('the stream does not begin with response.created');
  return event.response.id;
}

/** The types of the events, each once where it repeats. */
export function typesOf(events: ResponseStreamEvent[]): string[] {
  return events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);
}
