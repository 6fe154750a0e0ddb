import { beforeAll, describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import OpenAIv4, { toFile as toFileV4 } from 'openai-v4';
import { type Client, clientClasses, failureOf, failuresOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { fileForm, pixel } from '../support/form.ts';
import { openSocket, requestText } from '../support/raw.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* Files of a project, by the Assistants API. */

const t = useService({ MAX_FILE_MB: '1' });
let client: Client;
beforeAll(async () => {
  await t.changeProject();
  client = await openClient(t);
});

const upload = async (name: string, content: string | Uint8Array = 'Hello', purpose = 'assistants') =>
  client.files.create({ file: await toFile(Buffer.from(content), name), purpose: purpose as 'assistants' });

/** Sends a form as it is. */
const send = async (form: FormData) =>
  fetch(`${client.baseURL}/files`, {
    method: 'POST',
    body: form,
    headers: { Authorization: `Bearer ${client.apiKey}` },
  }).then(async (response) => ({ status: response.status, body: (await response.json()) as SentError }));

interface SentError {
  error: { type: string; param: string | null };
}

describe('a file', () => {
  test.each(Object.entries(clientClasses))('is uploaded, read and deleted with %s', async (_, open) => {
    const { files } = await open(t);
    const before = Math.floor(Date.now() / 1000);
    const file = await files.create({
      file: await toFile(Buffer.from('# Goals\n'), 'Goals.md'),
      purpose: 'assistants',
    });
    expect(file).toEqual({
      id: expect.stringMatching(/^file_[\w-]{40,}$/),
      object: 'file',
      bytes: 8,
      created_at: expect.any(Number),
      filename: 'Goals.md',
      purpose: 'assistants',
      status: 'processed',
    });
    expect(file.created_at).toBeGreaterThanOrEqual(before);
    expect(await files.retrieve(file.id)).toEqual(file);
    expect(await (await files.content(file.id)).text()).toBe('# Goals\n');
    expect((await files.list()).data).toContainEqual(file);
    expect(await files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
    const missing = [files.retrieve(file.id), files.content(file.id), files.delete(file.id)];
    for (const error of await failuresOf(missing)) {
      expect(error).toMatchObject({ status: 404, type: 'invalid_request_error' });
      expect(error.message).toContain(`No such File object: ${file.id}`);
    }
    expect((await files.list()).data).toEqual([]);
  });

  test('is uploaded by version 4 of the package', async () => {
    const { files } = new OpenAIv4({ baseURL: client.baseURL, apiKey: client.apiKey ?? '', maxRetries: 0 });
    const file = await files.create({ file: await toFileV4(pixel, 'a.png'), purpose: 'vision' });
    expect(file).toMatchObject({ filename: 'a.png', purpose: 'vision', bytes: pixel.length });
    expect(Buffer.from(await (await files.content(file.id)).arrayBuffer())).toEqual(pixel);
    expect((await files.list()).data.map(({ id }) => id)).toEqual([file.id]);
    expect((await files.del(file.id)).deleted).toBe(true);
  });

  test('is that of the project API, both ways', async () => {
    const { id } = await upload('a.txt');
    const path = `projects/${t.projectId}/files`;
    expect((await t.call(`${path}/${id}`)).body).toMatchObject({ fileId: id, filename: 'a.txt', bytes: 5 });
    const sent = (await t.call(path, { method: 'POST', body: fileForm('b.png', pixel) })).body.fileId;
    expect(await client.files.retrieve(sent)).toMatchObject({ filename: 'b.png', purpose: 'vision' });
    const text = (await t.call(path, { method: 'POST', body: fileForm('b.txt', 'Hello') })).body.fileId;
    // A purpose that packages of the original API's time know.
    expect(await client.files.retrieve(text)).toMatchObject({ filename: 'b.txt', purpose: 'assistants' });
    await t.call(`${path}/${id}`, { method: 'DELETE' });
    for (const file of [sent, text]) await client.files.delete(file);
    expect((await client.files.list()).data).toEqual([]);
  });

  test('belongs to its project only', async () => {
    const { id } = await upload('a.txt');
    const { projectId } = await t.addProject();
    const { files } = await openClient(t, { projectId });
    for (const { status } of await failuresOf([files.retrieve(id), files.content(id), files.delete(id)])) {
      expect(status).toBe(404);
    }
    expect((await files.list()).data).toEqual([]);
    expect(await failureOf(Promise.resolve(files.list({ after: id })))).toMatchObject({
      status: 400,
      param: 'after',
    });
    await client.files.delete(id);
  });

  test('whose content the engine does not give out says so', async () => {
    const { id } = await upload('a.txt');
    await t.engine.behaviour({ refuseDownloads: true });
    expect(await failureOf(client.files.content(id))).toMatchObject({
      status: 400,
      code: 'file_not_readable',
    });
    await t.engine.reset();
    await client.files.delete(id);
  });
});

describe('an id of a file that is none', () => {
  test.each([
    'a/b',
    'file_a#b?c',
    "file_' or 1 eq 1",
    'file_\u0001',
    'file_é',
    'list_desc_all_',
    'x'.repeat(40),
  ])('is not found, wherever it stands: %j', async (id) => {
    const { threads } = client.beta;
    const message = { role: 'user' as const, content: 'Hello' };
    const image = { type: 'image_file' as const, image_file: { file_id: id } };
    const tool_resources = { code_interpreter: { file_ids: [id] } };
    const { id: thread } = await threads.create();
    const errors = await failuresOf([
      threads.messages.create(thread, { ...message, attachments: [{ file_id: id }] }),
      threads.messages.create(thread, { ...message, content: [image] }),
      threads.create({ tool_resources }),
      threads.update(thread, { tool_resources }),
    ]);
    for (const error of errors) expect(error).toMatchObject({ status: 404, param: 'file_id' });
    const listing = failureOf(Promise.resolve(client.files.list({ after: id })));
    expect(await listing).toMatchObject({ status: 400, param: 'after' });
    expect((await failureOf(client.files.retrieve(id))).status).toBe(404);
  });
});

describe('an upload is refused by name', () => {
  test.each([
    ['a purpose that cannot be honoured', { purpose: 'batch' }, 400, 'purpose'],
    ['no purpose', {}, 400, 'purpose'],
    ['an expiry', { purpose: 'assistants', 'expires_after[anchor]': 'created_at' }, 400, 'expires_after'],
    ['an unknown field', { purpose: 'assistants', color: 'red' }, 400, 'color'],
  ])('for %s, and nothing is kept', async (_, fields, status, param) => {
    // As the packages send it: the file first. Others send it last.
    const [before, after] = [fileForm('a.txt', 'Hello'), new FormData()];
    for (const [name, value] of Object.entries(fields)) {
      before.set(name, value);
      after.set(name, value);
    }
    after.set('file', new File(['Hello'], 'a.txt'));
    const held = (await t.engine.files()).length;
    for (const form of [before, after]) {
      const { status: answered, body } = await send(form);
      expect([answered, body.error.param]).toEqual([status, param]);
    }
    expect(await t.engine.files()).toHaveLength(held);
    expect((await client.files.list()).data).toEqual([]);
  });

  test.each([
    ['no file', (form: FormData) => form.delete('file'), 400],
    ['an empty file', (form: FormData) => form.set('file', new File([], 'a.txt')), 400],
    ['a type that is not accepted', (form: FormData) => form.set('file', new File(['MZ\0'], 'a.exe')), 415],
    [
      'a file that is too large',
      (form: FormData) => form.set('file', new File(['x'.repeat(1024 ** 2 + 1)], 'a.txt')),
      413,
    ],
  ])('for %s', async (_, change, status) => {
    const form = fileForm('a.txt', 'Hello');
    form.set('purpose', 'assistants');
    change(form);
    const { status: answered, body } = await send(form);
    expect([answered, body.error.type]).toEqual([status, 'invalid_request_error']);
  });
});

test.each(['its purpose', 'its end', 'the response'])(
  'an upload whose client vanishes before %s leaves nothing',
  async (stage) => {
    const file = [
      '--b',
      'Content-Disposition: form-data; name="file"; filename="a.txt"',
      ...['Content-Type: text/plain', '', 'x'.repeat(200_000)],
    ].join('\r\n');
    const purpose = '\r\n--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants';
    const text =
      { 'its purpose': file, 'its end': file + purpose }[stage] ?? `${file}${purpose}\r\n--b--\r\n`;
    const last = stage === 'the response' ? '0\r\n\r\n' : '';
    const held = (await t.engine.files()).length;
    await t.engine.fault({ method: 'POST', path: '/v1/files' }, { kind: 'delay', ms: 500 });
    const headers = {
      Authorization: `Bearer ${client.apiKey}`,
      'Content-Type': 'multipart/form-data; boundary=b',
      'Transfer-Encoding': 'chunked',
    };
    const target = `/api/projects/${t.projectId}/openai/v1/files`;
    const chunks = `${text.length.toString(16)}\r\n${text}\r\n${last}`;
    const socket = await openSocket(t.url, requestText('POST', target, headers) + chunks);
    await until('the upload is in progress', async () => (await t.hostStatus()).openInvocations > 0);
    await until('the engine is asked', async () => (await t.engine.calls()).includes('POST /v1/files'));
    socket.destroy();
    await t.idle();
    await until('nothing is left', async () => (await t.engine.files()).length === held);
    expect((await client.files.list()).data).toEqual([]);
  },
);

test('the same file twice is two files', async () => {
  const both = await Promise.all([upload('a.txt'), upload('a.txt')]);
  const listed = (await client.files.list()).data;
  expect(listed.map(({ id }) => id).toSorted()).toEqual(both.map(({ id }) => id).toSorted());
  expect(new Set(listed.map(({ id }) => id)).size).toBe(2);
  for (const { id } of both) await client.files.delete(id);
});

describe('the list of files', () => {
  test('pages in both directions, by purpose, and past files that the engine has lost', async () => {
    const { projectId } = await t.addProject();
    const { files } = await openClient(t, { projectId });
    const uploaded: string[] = [];
    for (const [index, purpose] of ['assistants', 'vision', 'assistants', 'user_data', 'vision'].entries()) {
      const file = await toFile(Buffer.from('Hello'), `${index}.txt`);
      uploaded.push((await files.create({ file, purpose: purpose as 'vision' })).filename);
    }
    const read = async (query: OpenAI.FileListParams) => {
      const names: string[] = [];
      for await (const { filename } of files.list({ limit: 2, ...query })) names.push(filename);
      return names;
    };
    expect(await read({ order: 'asc' })).toEqual(uploaded);
    expect(await read({})).toEqual(uploaded.toReversed());
    expect(await read({ purpose: 'vision' })).toEqual(['4.txt', '1.txt']);
    expect(await read({ purpose: 'assistants', order: 'asc' })).toEqual(['0.txt', '2.txt']);
    expect(await read({ limit: 10_000 })).toHaveLength(5);
    await t.engine.reset();
    await files.list({ limit: 2 });
    expect(await t.engine.calls()).toHaveLength(2);
    const lost = (await t.engine.files()).filter(({ filename }) => ['3.txt', '4.txt'].includes(filename));
    for (const { id } of lost) {
      await fetch(`${t.engine.url}/files/${id}`, {
        method: 'DELETE',
        headers: { Authorization: 'Bearer test' },
      });
    }
    expect(await read({})).toEqual(['2.txt', '1.txt', '0.txt']);
    // The first pages are empty in the engine.
    expect(await files.list({ limit: 1 })).toMatchObject({ data: [{ filename: '2.txt' }], has_more: true });
    expect(await read({ limit: 1 })).toEqual(['2.txt', '1.txt', '0.txt']);
  });

  test('can be emptied while it is read', async () => {
    const { projectId } = await t.addProject();
    const { files } = await openClient(t, { projectId });
    for (const name of ['1.txt', '2.txt', '3.txt']) {
      await files.create({ file: await toFile(Buffer.from('Hello'), name), purpose: 'assistants' });
    }
    for await (const { id } of files.list({ limit: 1 })) await files.delete(id);
    expect((await files.list()).data).toEqual([]);
  });

  test.each([
    ['an unknown purpose', { purpose: 'batch' }, 'purpose'],
    ['a cursor that is none', { after: 'file_x' }, 'after'],
    ['a limit that is none', { limit: 10_001 }, 'limit'],
    ['a cursor before', { before: 'file_x' }, 'before'],
  ])('refuses %s by name', async (_, query, param) => {
    const listing = Promise.resolve(client.files.list(query as { after: string }));
    expect(await failureOf(listing)).toMatchObject({ status: 400, param });
  });
});

describe('a file that a code interpreter made', () => {
  test('is described and deleted by the id that names its thread, in its project only', async () => {
    const thread = await t.openThread();
    await t.engine.outcome(replies.generatedFile('chart.png', pixel));
    await t.finish((await t.startRun(thread)).run);
    const [{ fileId }] = (await t.call(thread)).body.messages.at(-1).annotations;
    const id = `${fileId}.${thread.split('/').at(-1)}`;
    expect(await client.files.retrieve(id)).toMatchObject({
      id,
      filename: 'chart.png',
      bytes: pixel.length,
      purpose: 'assistants_output',
    });
    expect(Buffer.from(await (await client.files.content(id)).arrayBuffer())).toEqual(pixel);
    const { projectId } = await t.addProject();
    const stranger = await openClient(t, { projectId });
    const elsewhere = `${fileId}.${(await t.openThread()).split('/').at(-1)}`;
    for (const call of [
      () => stranger.files.retrieve(id),
      () => stranger.files.content(id),
      () => stranger.files.delete(id),
      () => client.files.retrieve(elsewhere),
      () => client.files.content(elsewhere),
      () => client.files.delete(elsewhere),
      () => client.files.retrieve(fileId),
    ]) {
      expect((await failureOf(call())).status).toBe(404);
    }
    expect((await client.files.delete(id)).deleted).toBe(true);
    expect(await failureOf(client.files.content(id))).toMatchObject({ status: 410, code: 'file_expired' });
    await t.call(thread, { method: 'DELETE' });
    for (const call of [
      () => client.files.retrieve(id),
      () => client.files.content(id),
      () => client.files.delete(id),
    ]) {
      expect((await failureOf(call())).status).toBe(404);
    }
  });
});
