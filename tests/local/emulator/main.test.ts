import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import type { Response } from 'openai/resources/responses/responses';
import {
  cleanups,
  collect,
  model,
  start,
  startRun,
  startStream,
  temporaryFolder,
  untilEnded,
} from '../../support/emulator.ts';

describe('a restart', () => {
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
