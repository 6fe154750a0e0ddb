import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { cleanups, model, start } from '../../support/emulator.ts';

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'emulator-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The one file that holds items. */
function itemsFile(dataDir: string) {
  const folder = join(dataDir, 'conversations');
  const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.items'));
  return join(folder, name);
}

async function listAll(client: OpenAI, conversation: string) {
  const items: unknown[] = [];
  for await (const item of client.conversations.items.list(conversation, { order: 'asc' })) items.push(item);
  return items;
}

test('a conversation grows on disk by what is new, and is the same after a restart', async () => {
  const dataDir = temporaryFolder();
  const { client, emulator } = await start({ dataDir });
  const { id } = await client.conversations.create({ items: [{ role: 'user', content: 'x'.repeat(5_000) }] });
  const { ino, size } = statSync(itemsFile(dataDir));
  await client.responses.create({ model, input: 'Hello', conversation: id });
  await client.conversations.update(id, { metadata: { team: 'blue' } });
  const grown = statSync(itemsFile(dataDir));
  // The same file, and not as much more as a second copy of the first message.
  expect(grown.ino).toBe(ino);
  expect(grown.size).toBeGreaterThan(size);
  expect(grown.size).toBeLessThan(size + 2_000);
  const items = await listAll(client, id);
  expect(items).toHaveLength(3);
  await emulator.close();
  const again = await start({ dataDir });
  expect(await listAll(again.client, id)).toEqual(items);
  expect(await again.client.conversations.retrieve(id)).toMatchObject({ metadata: { team: 'blue' } });
});

test('an item that was deleted stays deleted, also when others follow', async () => {
  const dataDir = temporaryFolder();
  const { client, emulator } = await start({ dataDir });
  const texts = ['one', 'two', 'three'];
  const { id } = await client.conversations.create({
    items: texts.map((content) => ({ role: 'user' as const, content })),
  });
  const [, second] = (await client.conversations.items.list(id)).data;
  await client.conversations.items.delete(second?.id ?? '', { conversation_id: id });
  await client.conversations.items.create(id, { items: [{ role: 'user', content: 'four' }] });
  const items = await listAll(client, id);
  expect(items).toMatchObject(['one', 'three', 'four'].map((text) => ({ content: [{ text }] })));
  await emulator.close();
  expect(await listAll((await start({ dataDir })).client, id)).toEqual(items);
});

test('what a killed process had begun to write is dropped', async () => {
  const dataDir = temporaryFolder();
  const first = await start({ dataDir });
  const { id } = await first.client.conversations.create({ items: [{ role: 'user', content: 'one' }] });
  const items = await listAll(first.client, id);
  await first.emulator.close();
  appendFileSync(itemsFile(dataDir), `${JSON.stringify({ id: 'msg_lost' })}\n{"id": "msg_ha`);
  const second = await start({ dataDir });
  expect(await listAll(second.client, id)).toEqual(items);
  await second.client.conversations.items.create(id, { items: [{ role: 'user', content: 'two' }] });
  const both = await listAll(second.client, id);
  await second.emulator.close();
  expect(await listAll((await start({ dataDir })).client, id)).toEqual(both);
  expect(both).toHaveLength(2);
});

test('a deleted conversation leaves no file', async () => {
  const dataDir = temporaryFolder();
  const { client } = await start({ dataDir });
  const { id } = await client.conversations.create({ items: [{ role: 'user', content: 'one' }] });
  await client.conversations.delete(id);
  expect(readdirSync(join(dataDir, 'conversations'))).toEqual([]);
});
