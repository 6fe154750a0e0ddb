import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { toFile } from 'openai';
import { model, start, temporaryFolder } from '../../support/emulator.ts';

type Started = Awaited<ReturnType<typeof start>>;

async function upload({ client }: Started, name: string, content: string | Buffer) {
  const file = await toFile(Buffer.from(content), name);
  return (await client.files.create({ file, purpose: 'assistants' })).id;
}

/** Asks with a search in these stores: the reply's text and the files it cites. */
async function ask({ client }: Started, input: string, ...vector_store_ids: string[]) {
  const tools = [{ type: 'file_search' as const, vector_store_ids }];
  const { output, output_text } = await client.responses.create({ model, input, tools });
  const message = output.at(-1);
  const [part] = message?.type === 'message' ? message.content : [];
  const cited = part?.type === 'output_text' ? part.annotations : [];
  return { text: output_text, cited };
}

describe('a vector store', () => {
  test('is searched by the requests that name it, and by no other', async () => {
    const started = await start();
    const { client } = started;
    const { id: recipes } = await client.vectorStores.create({ name: 'Recipes', metadata: { a: 'b' } });
    const { id: other } = await client.vectorStores.create({});
    const text = 'Carbonara needs eggs, cheese and guanciale.';
    const file_id = await upload(started, 'pasta.md', `# Pasta\n\n## Carbonara\n\n${text}`);
    await client.vectorStores.files.create(recipes, { file_id });
    const found = await ask(started, 'How is carbonara made?', recipes);
    expect(found.text).toContain(text);
    expect(found.cited).toMatchObject([{ type: 'file_citation', file_id, filename: 'pasta.md' }]);
    const [citation] = found.cited;
    const index = citation?.type === 'file_citation' ? citation.index : 0;
    expect(found.text.slice(0, index)).toMatch(/guanciale\.$/);
    expect((await ask(started, 'How is carbonara made?', other)).text).toContain('found nothing');
    expect((await ask(started, 'How is carbonara made?', 'vs_demo')).text).toContain('found nothing');
    expect((await ask(started, 'How is carbonara made?', other, recipes)).cited).toHaveLength(1);
    expect(await client.vectorStores.retrieve(recipes)).toMatchObject({
      object: 'vector_store',
      name: 'Recipes',
      status: 'completed',
      file_counts: { in_progress: 0, completed: 1, failed: 0, cancelled: 0, total: 1 },
      metadata: { a: 'b' },
    });
  });

  test.each([
    ['text.txt', 'The flux capacitor needs power.', 'flux capacitor needs power'],
    ['flux-capacitor.pdf', '%PDF-1.7 \0', 'does not read .pdf files'],
  ])('searches %s', async (name, content, expected) => {
    const started = await start();
    const { id } = await started.client.vectorStores.create({
      file_ids: [await upload(started, name, content)],
    });
    expect((await ask(started, 'What does the flux capacitor need?', id)).text).toContain(expected);
  });

  test('indexes its files after a while, and may fail to', async () => {
    const started = await start({ indexMs: 60_000 });
    const { client, control } = started;
    const good = await upload(started, 'good.md', '# Good\n\nA flux capacitor.');
    const bad = await upload(started, 'bad.md', '# Bad\n\nA flux capacitor.');
    const empty = await upload(started, 'empty.md', '');
    const { id } = await client.vectorStores.create({ file_ids: [good] });
    expect(await client.vectorStores.files.retrieve(good, { vector_store_id: id })).toMatchObject({
      object: 'vector_store.file',
      status: 'in_progress',
      usage_bytes: 0,
    });
    expect((await client.vectorStores.retrieve(id)).status).toBe('in_progress');
    expect((await ask(started, 'A flux capacitor?', id)).text).toContain('found nothing');
    await control('PATCH', 'timing', { indexMs: 0 });
    const attach = (file_id: string) =>
      client.vectorStores.files.create(id, { file_id, attributes: { hash: 'x' } });
    expect(await attach(good)).toMatchObject({
      status: 'completed',
      usage_bytes: 25,
      last_error: null,
      attributes: { hash: 'x' },
    });
    const error = { code: 'server_error', message: 'Broken.' };
    await control('POST', 'index-errors', { error });
    expect(await attach(bad)).toMatchObject({ status: 'failed', last_error: error });
    expect(await attach(empty)).toMatchObject({ status: 'failed', last_error: { code: 'invalid_file' } });
    const { cited } = await ask(started, 'A flux capacitor?', id);
    expect(cited).toMatchObject([{ filename: 'good.md' }]);
    const failed = await client.vectorStores.files.list(id, { filter: 'failed', order: 'asc' });
    expect(failed.data.map((file) => file.id)).toEqual([bad, empty]);
    expect((await client.vectorStores.retrieve(id)).file_counts).toMatchObject({ failed: 2, total: 3 });
  });

  test('can lose its files, or be deleted, and the others stay', async () => {
    const started = await start();
    const { client } = started;
    const one = await upload(started, 'one.md', '# One\n\nA flux capacitor.');
    const two = await upload(started, 'two.md', '# Two\n\nA flux capacitor.');
    const { id } = await client.vectorStores.create({ file_ids: [one, two] });
    expect(await client.vectorStores.files.delete(one, { vector_store_id: id })).toEqual({
      id: one,
      object: 'vector_store.file.deleted',
      deleted: true,
    });
    await client.files.retrieve(one);
    expect((await ask(started, 'A flux capacitor?', id)).cited).toMatchObject([{ file_id: two }]);
    await client.files.delete(two);
    expect((await client.vectorStores.files.list(id)).data).toEqual([]);
    expect((await ask(started, 'A flux capacitor?', id)).cited).toEqual([]);
    await client.vectorStores.delete(id);
    await client.files.retrieve(one);
    await expect(client.vectorStores.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });

  test('takes files in batches', async () => {
    const started = await start();
    const { client } = started;
    const file_ids = [await upload(started, '1.md', '# 1\n\nx'), await upload(started, '2.md', '# 2\n\ny')];
    const { id } = await client.vectorStores.create({});
    const batch = await client.vectorStores.fileBatches.createAndPoll(id, { file_ids });
    expect(batch).toMatchObject({ status: 'completed', file_counts: { completed: 2, total: 2 } });
    const files = await client.vectorStores.fileBatches.listFiles(batch.id, { vector_store_id: id });
    expect(files.data).toHaveLength(2);
  });

  test('that does not exist fails the request, and starts nothing', async () => {
    const started = await start();
    await expect(ask(started, 'Hello', 'vs_demo', 'vs_none')).rejects.toMatchObject({
      status: 400,
      error: { message: "Vector store with id ['vs_none'] not found.", param: 'tools' },
    });
    expect(await started.control('GET', 'responses')).toEqual([]);
    await started.control('POST', 'vector-stores', { id: 'vs_none' });
    expect((await ask(started, 'Hello', 'vs_none')).text).toContain('found nothing');
  });

  test('refuses what cannot be searched', async () => {
    const started = await start();
    const { client } = started;
    const { id } = await client.vectorStores.create({});
    const file_id = await upload(started, 'photo.PNG', 'x');
    await expect(client.vectorStores.files.create(id, { file_id })).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_file',
    });
    await expect(client.vectorStores.files.create(id, { file_id: 'file-none' })).rejects.toMatchObject({
      status: 404,
    });
    expect((await client.vectorStores.files.list(id)).data).toEqual([]);
    await expect(ask(started, 'Hello', id, id, id)).rejects.toMatchObject({ status: 400 });
  });

  test('is kept over a restart', async () => {
    const dataDir = temporaryFolder();
    const first = await start({ dataDir });
    const file = await upload(first, 'one.md', '# One\n\nA flux capacitor.');
    const { id } = await first.client.vectorStores.create({ file_ids: [file] });
    await first.emulator.close();
    const second = await start({ dataDir });
    expect((await ask(second, 'A flux capacitor?', id)).cited).toMatchObject([{ file_id: file }]);
  });
});

describe('a folder of documents', () => {
  function folder() {
    const documentsDir = temporaryFolder();
    writeFileSync(join(documentsDir, 'top.md'), '# Top\n\nA flux capacitor on top.');
    mkdirSync(join(documentsDir, 'vs_atlas'));
    writeFileSync(join(documentsDir, 'vs_atlas', 'atlas.md'), '# Atlas\n\nA flux capacitor of Atlas.');
    return documentsDir;
  }

  test('is the demo store, and each folder in it a store of its own', async () => {
    const started = await start({ documentsDir: folder() });
    const question = 'A flux capacitor?';
    expect((await ask(started, question, 'vs_demo')).cited).toMatchObject([{ filename: 'top.md' }]);
    const { cited } = await ask(started, question, 'vs_atlas');
    expect(cited).toMatchObject([{ filename: 'atlas.md' }]);
    await expect(ask(started, question, '..')).rejects.toMatchObject({ status: 400 });
    const { client } = started;
    expect((await client.vectorStores.list({ order: 'asc' })).data.map(({ id }) => id)).toEqual([
      'vs_demo',
      'vs_atlas',
    ]);
    const [file] = (await client.vectorStores.files.list('vs_atlas')).data;
    expect(file).toMatchObject({ id: cited[0]?.type === 'file_citation' && cited[0].file_id });
    expect(await client.files.retrieve(file?.id ?? '')).toMatchObject({ filename: 'atlas.md' });
  });

  test('may change at any time', async () => {
    const documentsDir = folder();
    const started = await start({ documentsDir });
    const question = 'A flux capacitor?';
    await ask(started, question, 'vs_demo');
    writeFileSync(join(documentsDir, 'top.md'), '# Top\n\nNothing here.');
    writeFileSync(join(documentsDir, 'new.md'), '# New\n\nA new flux capacitor.');
    expect((await ask(started, question, 'vs_demo')).cited).toMatchObject([{ filename: 'new.md' }]);
    mkdirSync(join(documentsDir, 'vs_late'));
    expect((await ask(started, question, 'vs_late')).text).toContain('found nothing');
    rmSync(join(documentsDir, 'vs_late'), { recursive: true });
    await expect(ask(started, question, 'vs_late')).rejects.toMatchObject({ status: 400 });
  });

  test('takes uploaded files as well', async () => {
    const started = await start({ documentsDir: folder() });
    const file_id = await upload(started, 'more.md', '# More\n\nAnother flux capacitor.');
    await started.client.vectorStores.files.create('vs_atlas', { file_id });
    expect((await ask(started, 'A flux capacitor?', 'vs_atlas')).cited).toHaveLength(2);
  });
});
