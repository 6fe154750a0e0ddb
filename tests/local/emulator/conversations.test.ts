import { describe, expect, test } from '@jest/globals';
import { request, start } from '../../support/emulator.ts';

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
