import { describe, expect, test } from '@jest/globals';
import { toFile } from 'openai';
import type { FileObject } from 'openai/resources/files';
import { request, start, temporaryFolder } from '../../support/emulator.ts';
import type { EngineFile } from '../../support/engine.ts';

type Started = Awaited<ReturnType<typeof start>>;

const upload = async ({ client }: Started, name = 'notes.md', content = '# Notes', purpose = 'user_data') =>
  client.files.create({
    file: await toFile(Buffer.from(content), name, { type: 'text/markdown' }),
    purpose: purpose as 'user_data',
  });

describe('a file', () => {
  test('is stored with its name, in any script, and read again byte by byte', async () => {
    const started = await start();
    const { client, control } = started;
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));
    const created = await client.files.create({
      file: await toFile(bytes, 'Übersicht "1" 図.bin', { type: 'image/png' }),
      purpose: 'vision',
    });
    const expected: FileObject = {
      id: created.id,
      object: 'file',
      bytes: bytes.length,
      created_at: expect.any(Number) as never,
      filename: 'Übersicht "1" 図.bin',
      purpose: 'vision',
      status: 'processed',
    };
    expect(created).toMatchObject(expected);
    expect(created.id).toMatch(/^file-\w{24}$/);
    expect(await client.files.retrieve(created.id)).toEqual(created);
    const content = await client.files.content(created.id);
    expect(content.headers.get('content-type')).toBe('application/octet-stream');
    expect(bytes.equals(Buffer.from(await content.arrayBuffer()))).toBe(true);
    expect(await control<EngineFile[]>('GET', 'files')).toMatchObject([
      { id: created.id, mediaType: 'image/png' },
    ]);
  });

  test('may have 20 MB, in chunks of unknown length', async () => {
    const { emulator } = await start();
    const boundary = 'b0undary';
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="big.bin"\r\n\r\n`;
    async function* parts() {
      yield Buffer.from(head);
      for (let count = 0; count < 20; count += 1) yield Buffer.alloc(1_000_000, count);
      yield Buffer.from(`\r\n--${boundary}--\r\n`);
    }
    const response = await fetch(`${emulator.url}/files`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer test',
        'content-type': `multipart/form-data; boundary=${boundary}`,
      },
      body: ReadableStream.from(parts()),
      duplex: 'half',
    } as RequestInit);
    expect(await response.json()).toMatchObject({ bytes: 20_000_000, filename: 'big.bin' });
  });

  test('is listed page by page, by purpose, newest first', async () => {
    const started = await start();
    const ids: string[] = [];
    for (const purpose of ['vision', 'user_data', 'user_data'])
      ids.push((await upload(started, 'a.md', 'a', purpose)).id);
    const listed: string[] = [];
    for await (const { id } of started.client.files.list({ limit: 2 })) listed.push(id);
    expect(listed).toEqual(ids.toReversed());
    const { data } = await started.client.files.list({ purpose: 'user_data', order: 'asc' });
    expect(data.map(({ id }) => id)).toEqual(ids.slice(1));
  });

  test('is gone after its deletion', async () => {
    const started = await start();
    const { id } = await upload(started);
    expect(await started.client.files.delete(id)).toEqual({ id, object: 'file', deleted: true });
    for (const gone of [
      () => started.client.files.retrieve(id),
      () => started.client.files.content(id),
      () => started.client.files.delete(id),
    ])
      await expect(gone()).rejects.toMatchObject({
        status: 404,
        error: { message: `No such File object: ${id}`, param: 'id' },
      });
  });

  test('cannot be read where the engine refuses it', async () => {
    const started = await start();
    const { id } = await upload(started);
    const { id: image } = await upload(started, 'a.png', 'a', 'vision');
    await started.control('PATCH', 'behaviour', { refuseDownloads: true });
    await expect(started.client.files.content(id)).rejects.toMatchObject({
      status: 400,
      error: { message: 'Not allowed to download files of purpose: user_data' },
    });
    expect(await (await started.client.files.content(image)).text()).toBe('a');
  });

  test('is kept over a restart', async () => {
    const dataDir = temporaryFolder();
    const first = await start({ dataDir });
    const created = await upload(first, 'a.md', 'Hello');
    const gone = await upload(first);
    await first.client.files.delete(gone.id);
    await first.emulator.close();
    const { client } = await start({ dataDir });
    expect((await client.files.list()).data).toEqual([created]);
    expect(await (await client.files.content(created.id)).text()).toBe('Hello');
  });

  test('can be lost on its way, in both directions', async () => {
    const started = await start();
    const { client, control } = started;
    const { id } = await upload(started, 'a.md', 'Hello');
    const match = { method: 'GET', path: '/v1/files/*/content' };
    await control('POST', 'faults', { match, fault: { kind: 'cut', afterBytes: 2 } });
    const content = await client.files.content(id);
    await expect(content.text()).rejects.toThrow();
    const lost = { match: { method: 'POST', path: '/v1/files' }, fault: { kind: 'drop_after' } };
    await control('POST', 'faults', lost);
    await expect(upload(started)).rejects.toThrow();
    expect(await control<EngineFile[]>('GET', 'files')).toHaveLength(2);
  });

  test.each([
    ['', 'multipart/form-data; boundary=x', 'Could not parse multipart form'],
    ['--x--\r\n', 'multipart/form-data; boundary=x', "Missing required parameter: 'file'."],
    ['{"purpose":"vision"}', 'application/json', "Missing required parameter: 'file'."],
  ])('is not created from %j as %s', async (body, type, message) => {
    const { emulator } = await start();
    const headers = { authorization: 'Bearer test', 'content-type': type };
    const response = await fetch(`${emulator.url}/files`, { method: 'POST', headers, body });
    expect([response.status, await response.json()]).toMatchObject([400, { error: { message } }]);
  });

  test('needs a known purpose', async () => {
    const started = await start();
    await expect(upload(started, 'a.md', 'a', 'fun')).rejects.toMatchObject({
      status: 400,
      param: 'purpose',
    });
    expect((await request(started.emulator, 'GET', '/files')).status).toBe(200);
  });
});
