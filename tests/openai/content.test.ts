import { beforeAll, describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { type Client, failureOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { fileForm, pixel } from '../support/form.ts';
import { useService } from '../support/useService.ts';

/* Images and files of messages. */

type MessageParams = OpenAI.Beta.Threads.MessageCreateParams;

const t = useService();
let client: Client;
let editor: Client;
let projectId: string;
let image: string;
let table: string;
let notes: string;
beforeAll(async () => {
  ({ projectId } = await t.addProject({ members: ['member', 'eve'], editors: ['eve'] }));
  client = await openClient(t, { projectId, claims: { sub: 'member' } });
  editor = await openClient(t, { projectId, claims: { sub: 'eve' } });
  const upload = async (name: string, content: string | Buffer) =>
    (await client.files.create({ file: await toFile(Buffer.from(content), name), purpose: 'assistants' })).id;
  [image, table, notes] = await Promise.all([
    upload('a.png', pixel),
    upload('a.csv', 'a,b\n1,2\n'),
    upload('notes.md', '# Notes'),
  ]);
});

const dataUrl = `data:image/png;base64,${pixel.toString('base64')}`;
const poll = { pollIntervalMs: 25 };
const read = (id: string) => ({ file_id: id, tools: [{ type: 'file_search' as const }] });
const compute = (id: string) => ({ file_id: id, tools: [{ type: 'code_interpreter' as const }] });

const images: MessageParams['content'] = [
  { type: 'text', text: 'Compare' },
  { type: 'image_file', image_file: { file_id: '', detail: 'high' } },
  { type: 'text', text: 'with' },
  { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
  { type: 'image_url', image_url: { url: dataUrl } },
];

/** The content that has all kinds of parts, with the image of this project. */
const contentWith = (file_id: string) =>
  images.map((part) =>
    part.type === 'image_file' ? { ...part, image_file: { ...part.image_file, file_id } } : part,
  );

/** That content as messages show it. */
const shown = () =>
  contentWith(image).map((part) => {
    if (part.type === 'text') return { type: 'text', text: { value: part.text, annotations: [] } };
    if (part.type === 'image_file') return part;
    return { ...part, image_url: { detail: 'auto', ...part.image_url } };
  });

/** The last request that the engine got for a thread. */
async function lastRequest(threadId: string) {
  const run = (await t.engine.runs()).findLast(({ metadata }) => metadata['threadId'] === threadId);
  const interpreter = run?.tools.find(({ type }) => type === 'code_interpreter');
  const names = new Map((await t.engine.files()).map(({ id, filename }) => [id, filename]));
  const { file_ids = [] } = (interpreter?.['container'] ?? {}) as { file_ids?: string[] };
  return { run, inContainer: file_ids.map((id) => names.get(id)) };
}

describe('images', () => {
  test('of a message are seen by the model, and shown as they were sent', async () => {
    const { messages, runs } = client.beta.threads;
    const { id: thread_id } = await client.beta.threads.create();
    const message = await messages.create(thread_id, { role: 'user', content: contentWith(image) });
    expect(message.content).toEqual(shown());
    expect(message.attachments).toEqual([]);
    expect(await messages.retrieve(message.id, { thread_id })).toEqual(message);
    expect((await messages.list(thread_id)).data).toEqual([message]);
    expect((await runs.createAndPoll(thread_id, { assistant_id: 'asst_test' }, poll)).status).toBe(
      'completed',
    );
    const { body } = await t.call(`projects/${projectId}/threads/${thread_id}`);
    expect(body.messages[0]).toMatchObject({
      content: 'Compare\nwith',
      attachments: [{ fileId: image, type: 'image' }],
    });
    expect(JSON.stringify(body)).not.toContain('parts');
  });

  test('come with first and additional messages, too', async () => {
    const message = { role: 'user' as const, content: contentWith(image) };
    const run = await client.beta.threads.createAndRunPoll(
      { assistant_id: 'asst_test', thread: { messages: [message] } },
      poll,
    );
    const { runs, messages } = client.beta.threads;
    const next = { assistant_id: 'asst_test', additional_messages: [message] };
    expect((await runs.createAndPoll(run.thread_id, next, poll)).status).toBe('completed');
    const listed = (await messages.list(run.thread_id, { order: 'asc' })).data;
    expect(listed.filter(({ role }) => role === 'user').map(({ content }) => content)).toEqual([
      shown(),
      shown(),
    ]);
    const { run: request } = await lastRequest(run.thread_id);
    expect(request?.input).toMatchObject([
      {
        content: [
          { type: 'input_text', text: 'Compare' },
          { type: 'input_image', file_id: expect.stringMatching(/^file-/), detail: 'high' },
          { type: 'input_text', text: 'with' },
          { type: 'input_image', image_url: 'https://example.com/a.png', detail: 'low' },
          { type: 'input_image', image_url: dataUrl, detail: 'auto' },
        ],
      },
    ]);
  });

  test.each([
    ['the file of nobody', { type: 'image_file', image_file: { file_id: 'file-abc' } }, 404, 'file_id'],
    ['a file that is no image', 'table', 400, 'image_file'],
    ['an ftp URL', 'ftp://example.com/a.png', 400, 'content[0].image_url.url'],
    ['a file URL', 'file:///etc/passwd', 400, 'content[0].image_url.url'],
    ['an address of a network', 'http://169.254.169.254/latest/meta-data', 400, 'content[0].image_url.url'],
    ['an address as a number', 'http://2852039166/', 400, 'content[0].image_url.url'],
    ['an address of IPv6', 'http://[::ffff:10.0.0.1]/a.png', 400, 'content[0].image_url.url'],
    ['a name of a private network', 'http://metadata.google.internal/', 400, 'content[0].image_url.url'],
    ['a name without a domain', 'https://localhost/a.png', 400, 'content[0].image_url.url'],
    ['credentials', 'https://user:pw@example.com/a.png', 400, 'content[0].image_url.url'],
    ['data that is no image', 'data:image/png;base64,SGVsbG8=', 400, 'content[0].image_url.url'],
    ['data of another type', 'data:text/html;base64,SGVsbG8=', 400, 'content[0].image_url.url'],
    ['an unknown part', { type: 'input_audio' }, 400, 'content[0].type'],
  ])('may not be %s', async (_, part, status, param) => {
    const { id } = await client.beta.threads.create();
    const bad =
      part === 'table'
        ? { type: 'image_file', image_file: { file_id: table } }
        : typeof part === 'string'
          ? { type: 'image_url', image_url: { url: part } }
          : part;
    const content = [bad] as MessageParams['content'];
    const error = await failureOf(client.beta.threads.messages.create(id, { role: 'user', content }));
    expect(error).toMatchObject({ status, param });
    const run = client.beta.threads.runs.create(id, {
      assistant_id: 'asst_test',
      additional_messages: [{ role: 'user', content }],
    });
    expect((await failureOf(run)).status).toBe(status);
    expect((await client.beta.threads.messages.list(id)).data).toEqual([]);
  });
});

describe('attachments', () => {
  test('are read by the model, used by code, and shown as they were sent', async () => {
    const { threads } = client.beta;
    const { id: thread_id } = await threads.create();
    const attachments = [read(notes), compute(table), { ...compute(image) }];
    const message = await threads.messages.create(thread_id, {
      role: 'user',
      content: 'What do they say?',
      attachments,
    });
    expect(message.attachments).toEqual(attachments);
    expect(message.content).toEqual([
      { type: 'text', text: { value: 'What do they say?', annotations: [] } },
    ]);
    expect(await threads.messages.retrieve(message.id, { thread_id })).toEqual(message);
    expect((await threads.messages.list(thread_id)).data).toEqual([message]);
    const { tool_resources } = await threads.retrieve(thread_id);
    expect(tool_resources?.code_interpreter).toEqual({ file_ids: [table, image] });
  });

  test('for code are in the container of this and later runs, others are not', async () => {
    const assistant = await editor.beta.assistants.create({
      model: 'gpt-5-nano',
      tools: [{ type: 'code_interpreter' }],
    });
    const assistant_id = assistant.id;
    const { threads } = client.beta;
    const run = await threads.createAndRunPoll(
      {
        assistant_id,
        thread: {
          messages: [{ role: 'user', content: 'Hello', attachments: [read(notes), compute(table)] }],
          tool_resources: { code_interpreter: { file_ids: [image] } },
        },
      },
      poll,
    );
    expect(run.status).toBe('completed');
    const { thread_id } = run;
    expect((await lastRequest(thread_id)).inContainer).toEqual(['a.png', 'a.csv']);
    const message = { role: 'user' as const, content: 'And this?', attachments: [compute(notes)] };
    await threads.runs.createAndPoll(thread_id, { assistant_id, additional_messages: [message] }, poll);
    expect((await lastRequest(thread_id)).inContainer).toEqual(['a.png', 'a.csv', 'notes.md']);
    await threads.runs.createAndPoll(thread_id, { assistant_id }, poll);
    expect((await lastRequest(thread_id)).inContainer).toEqual(['a.png', 'a.csv', 'notes.md']);
    const changed = await threads.update(thread_id, {
      metadata: { a: 'b' },
      tool_resources: { code_interpreter: { file_ids: [table] } },
    });
    expect(changed).toMatchObject({
      metadata: { a: 'b' },
      tool_resources: { code_interpreter: { file_ids: [table] } },
    });
    expect(await threads.retrieve(thread_id)).toEqual(changed);
    await threads.runs.createAndPoll(thread_id, { assistant_id }, poll);
    expect((await lastRequest(thread_id)).inContainer).toEqual(['a.csv']);
    // Those of a run's own messages have no record, so they are shown with all that is done with them.
    const [added] = (await threads.messages.list(thread_id)).data.filter(
      ({ attachments }) => attachments?.length === 1,
    );
    expect(added?.attachments).toEqual([
      { file_id: notes, tools: [{ type: 'file_search' }, { type: 'code_interpreter' }] },
    ]);
  });

  test('for code are in the container of later rounds of a run, too', async () => {
    const { threads, assistants } = editor.beta;
    const { id: assistant_id } = await assistants.create({
      model: 'gpt-5-nano',
      tools: [{ type: 'code_interpreter' }, { type: 'function', function: { name: 'get_order' } }],
      tool_resources: { code_interpreter: { file_ids: [notes] } },
    });
    await t.engine.outcome(replies.functionCall('get_order', {}));
    const message = { role: 'user' as const, content: 'Hello', attachments: [compute(table)] };
    const run = await threads.createAndRunPoll({ assistant_id, thread: { messages: [message] } }, poll);
    const { thread_id, required_action } = run;
    const [call] = required_action?.submit_tool_outputs.tool_calls ?? [];
    const tool_outputs = [{ tool_call_id: call?.id ?? '', output: 'none' }];
    const ended = await threads.runs.submitToolOutputsAndPoll(run.id, { thread_id, tool_outputs }, poll);
    expect(ended.status).toBe('completed');
    expect((await lastRequest(thread_id)).inContainer).toEqual(['a.csv', 'notes.md']);
  });

  test('are not needed: an assistant, or the first run of a thread, may have the files', async () => {
    const { threads, assistants } = editor.beta;
    const assistant = await assistants.create({
      model: 'gpt-5-nano',
      tools: [{ type: 'code_interpreter' }],
      tool_resources: { code_interpreter: { file_ids: [table] } },
    });
    const tool_resources = { code_interpreter: { file_ids: [table] } };
    expect(assistant.tool_resources).toEqual(tool_resources);
    const renamed = await assistants.update(assistant.id, { name: 'Analyst' });
    expect(renamed.tool_resources).toEqual(tool_resources);
    const start = {
      assistant_id: assistant.id,
      thread: { messages: [{ role: 'user' as const, content: 'Sum' }] },
    };
    const first = await threads.createAndRunPoll(start, poll);
    expect((await lastRequest(first.thread_id)).inContainer).toEqual(['a.csv']);
    const instead = { ...start, tool_resources: { code_interpreter: { file_ids: [notes] } } };
    const second = await threads.createAndRunPoll(instead, poll);
    expect((await lastRequest(second.thread_id)).inContainer).toEqual(['notes.md']);
    const without = await assistants.update(assistant.id, {
      tool_resources: { code_interpreter: { file_ids: [] } },
    });
    expect(without.tool_resources).toEqual({ code_interpreter: { file_ids: [] } });
    const foreign = { tool_resources: { code_interpreter: { file_ids: ['file-abc'] } } };
    for (const call of [
      () => assistants.create({ model: 'gpt-5-nano', ...foreign }),
      () => assistants.update(assistant.id, foreign),
      () => threads.createAndRun({ assistant_id: assistant.id, ...foreign }),
    ]) {
      expect(await failureOf(call())).toMatchObject({ status: 404, param: 'file_id' });
    }
  });

  test('that have been deleted do not stop a run', async () => {
    const body = fileForm('b.csv', 'a\n1\n');
    const uploaded = await t.call(`projects/${projectId}/files`, {
      method: 'POST',
      body,
    });
    const { fileId } = uploaded.body;
    const thread = await client.beta.threads.create({
      tool_resources: { code_interpreter: { file_ids: [fileId] } },
    });
    await client.files.delete(fileId);
    const run = await editor.beta.threads.runs.createAndPoll(
      thread.id,
      { assistant_id: 'asst_test', tools: [{ type: 'code_interpreter' }] },
      poll,
    );
    expect(run.status).toBe('completed');
    expect((await lastRequest(thread.id)).inContainer).toEqual([]);
  });

  test('of another project, and more than there may be, are refused, and nothing is kept', async () => {
    const { projectId: other } = await t.addProject({ members: ['member'] });
    const stranger = await openClient(t, { projectId: other, claims: { sub: 'member' } });
    const { threads } = stranger.beta;
    const { id } = await threads.create();
    await t.engine.reset();
    const attachments = [{ file_id: table, tools: [...compute(table).tools, ...read(table).tools] }];
    const message = { role: 'user' as const, content: 'Hello', attachments };
    const foreign = { status: 404, param: 'file_id', message: expect.stringContaining(table) };
    for (const call of [
      () => threads.messages.create(id, message),
      () => threads.create({ messages: [message] }),
      () => threads.create({ tool_resources: { code_interpreter: { file_ids: [table] } } }),
      () => threads.update(id, { tool_resources: { code_interpreter: { file_ids: [table] } } }),
      () => threads.runs.create(id, { assistant_id: 'asst_test', additional_messages: [message] }),
      () => threads.createAndRun({ assistant_id: 'asst_test', thread: { messages: [message] } }),
    ]) {
      expect(await failureOf(call())).toMatchObject(foreign);
    }
    expect((await t.engine.calls()).filter((call) => !call.startsWith('GET'))).toEqual([]);
    expect(await threads.retrieve(id)).toMatchObject({ tool_resources: {} });
    const many = Array.from({ length: 11 }, () => read(table));
    expect(await failureOf(threads.messages.create(id, { ...message, attachments: many }))).toMatchObject({
      status: 400,
      param: 'attachments',
    });
    const reply = { ...message, role: 'assistant' as const };
    expect(await failureOf(threads.messages.create(id, reply))).toMatchObject({ param: 'attachments' });
  });
});
