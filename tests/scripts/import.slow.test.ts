import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openClient } from '../support/assistantsApi.ts';
import {
  createImport,
  exportedAt,
  exportedMessage,
  exportedMessages,
  exportedPage,
  exportedThread,
  foreignId,
  type TestImport,
  toLines,
} from '../support/importing.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let exported: TestImport;
let threadId: string;

beforeEach(async () => {
  await t.changeProject();
  exported = await createImport(t);
  threadId = foreignId('thread');
});
afterEach(() => exported.remove());

/** Reads the messages of a thread on the Assistants API, oldest first. */
async function messagesOf(id: string) {
  const client = await openClient(t);
  const messages = [];
  for await (const message of client.beta.threads.messages.list(id, { order: 'asc', limit: 100 })) {
    messages.push(message);
  }
  return messages;
}

const textsOf = async (id: string) =>
  (await messagesOf(id)).map(({ content: [part] }) => part?.type === 'text' && part.text.value);

const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index + 1}`);

const threadPath = (id: string) => `projects/${t.projectId}/threads/${id}`;

describe('npm run import', () => {
  test('shows first what it would do, then brings assistants, threads and messages of all forms', async () => {
    const ids = Array.from({ length: 4 }, () => foreignId('thread'));
    const [a = '', b = '', c = '', d = ''] = ids;
    const assistantId = foreignId('asst');
    const assistant = {
      ...{ id: assistantId, object: 'assistant', created_at: exportedAt, name: 'Old', description: null },
      ...{ model: 'gpt-5-mini', instructions: 'Be kind.', metadata: {}, top_p: 1, temperature: 1 },
      tools: [
        {
          type: 'file_search',
          file_search: { ranking_options: { ranker: 'default_2024_08_21', score_threshold: 0 } },
        },
      ],
      ...{ tool_resources: { file_search: { vector_store_ids: [] } }, response_format: 'auto' },
    };
    const newestFirst = exportedMessages(a, 5).toReversed();
    // Pages of list routes, newest first, which overlap.
    await exported.write('a/page-2.json', exportedPage(newestFirst.slice(2)));
    await exported.write('a/page-10.json', exportedPage(newestFirst.slice(0, 3), true));
    // An array of mixed kinds.
    await exported.write('mixed.json', [assistant, exportedThread(a), exportedThread(b)]);
    // One object a line, and a thread with its messages.
    await exported.write('b.jsonl', toLines(...exportedMessages(b, 2)));
    await exported.write(
      'c.ndjson',
      toLines(
        { ...exportedThread(c), messages: exportedMessages(c, 2) },
        { ...exportedThread(d, { metadata: null }), messages: exportedPage([]) },
      ),
    );
    await exported.write('notes.txt', 'not exported');
    await exported.write('.hidden.json', 'nothing');

    const dry = await exported.run();
    expect(dry).toMatchObject({ code: 0, stderr: '' });
    expect(dry.stdout).toContain(`assistant ${assistantId}: would be created\n`);
    expect(dry.stdout).toContain(`thread ${a}: would be created with 5 messages\n`);
    expect(dry.stdout).toContain('1 × file notes.txt');
    expect(dry.stdout).toContain('Nothing was changed.');
    expect(dry.stdout).not.toContain('text 1');
    expect(await exported.run('--dry-run')).toEqual(dry);
    expect(await t.engine.calls()).toEqual([]);
    expect((await t.call(threadPath(a))).status).toBe(404);

    const applied = await exported.run('--apply');
    expect(applied).toMatchObject({ code: 0, stderr: '' });
    expect(applied.stdout).toContain('1 assistant and 4 threads imported, 0 there before');
    expect(applied.stdout).not.toContain('text 1');
    expect(await Promise.all(ids.map(textsOf))).toEqual([texts(5), texts(2), texts(2), []]);
    const client = await openClient(t);
    expect(await client.beta.assistants.retrieve(assistantId)).toMatchObject({
      ...{ id: assistantId, created_at: exportedAt, name: 'Old', tools: [{ type: 'file_search' }] },
    });

    const again = await exported.run('--apply');
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('0 threads imported, 5 there') });
    expect(await textsOf(a)).toEqual(texts(5));
  }, 60_000);

  test('keeps ids, times, roles and metadata, which both faces show', async () => {
    const question = exportedMessage(threadId, 1, { metadata: { topic: 'keys' } });
    await exported.write('export.json', [exportedThread(threadId), question, exportedMessage(threadId, 2)]);
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    const client = await openClient(t);
    expect(await client.beta.threads.retrieve(threadId)).toMatchObject({
      ...{ id: threadId, created_at: exportedAt, metadata: { customer: 'ada' } },
    });
    const [first, second] = await messagesOf(threadId);
    expect(first).toMatchObject({
      ...{ role: 'user', created_at: exportedAt + 1, metadata: { topic: 'keys' } },
      ...{ thread_id: threadId, run_id: null, assistant_id: null },
    });
    expect(second).toMatchObject({
      role: 'assistant',
      created_at: exportedAt + 2,
      metadata: {},
      run_id: null,
    });
    const { body } = await t.call(`${threadPath(threadId)}?order=asc`);
    const times = [exportedAt, exportedAt + 1, exportedAt + 2].map((at) => new Date(at * 1000).toISOString());
    expect(body).toMatchObject({
      ...{ threadId, createdAt: times[0], metadata: { customer: 'ada' } },
      messages: [
        { role: 'user', content: 'text 1', createdAt: times[1], runId: null },
        { role: 'assistant', content: 'text 2', createdAt: times[2], runId: null },
      ],
    });
    const listed = (await t.call(`projects/${t.projectId}/threads`)).body.threads;
    expect(listed).toMatchObject([{ threadId, createdAt: times[0] }]);
  }, 60_000);

  test('brings threads that both faces continue and delete', async () => {
    const other = foreignId('thread');
    await exported.write(
      'export.jsonl',
      toLines(...exportedMessages(threadId, 4), ...exportedMessages(other, 2)),
    );
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    const client = await openClient(t);
    const run = await t.startRun(threadPath(threadId), { body: { message: 'and now?' } });
    expect((await t.finish(run.run)).body.status).toBe('completed');
    const continued = await client.beta.threads.runs.createAndPoll(
      threadId,
      { assistant_id: 'asst_test', additional_messages: [{ role: 'user', content: 'and then?' }] },
      { pollIntervalMs: 50 },
    );
    expect(continued.status).toBe('completed');
    await client.beta.threads.messages.create(threadId, { role: 'user', content: 'last' });
    const shown = await textsOf(threadId);
    expect(shown.slice(0, 5)).toEqual([...texts(4), 'and now?']);
    expect(shown[6]).toBe('and then?');
    expect(shown.at(-1)).toBe('last');
    const { body } = await t.call(`${threadPath(threadId)}?order=asc`);
    expect(body.messages[0].createdAt).toBe(new Date((exportedAt + 1) * 1000).toISOString());
    expect(body.messages[5]).toMatchObject({ role: 'assistant', runId: run.runId });

    await client.beta.threads.delete(threadId);
    expect((await t.call(threadPath(other), { method: 'DELETE' })).status).toBe(204);
    const deleted = (await t.engine.calls()).filter((call) => call.startsWith('DELETE /v1/conversations/'));
    expect(deleted).toHaveLength(2);
    expect((await t.call(threadPath(threadId))).status).toBe(404);
    expect((await t.call(`projects/${t.projectId}/threads`)).body.threads).toEqual([]);
  }, 60_000);

  test('brings messages of several transactions in order, 20 at a time', async () => {
    const messages = exportedMessages(threadId, 230);
    const pages = Array.from({ length: 3 }, (_, page) =>
      messages.toReversed().slice(page * 100, page * 100 + 100),
    );
    await exported.write(
      'pages.jsonl',
      toLines(...pages.map((page, index) => exportedPage(page, index < 2))),
    );
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    const appends = (await t.engine.calls()).filter((call) => /^POST .*\/items$/.test(call));
    expect(appends).toHaveLength(12);
    const shown = await messagesOf(threadId);
    expect(shown.map(({ content: [part] }) => part?.type === 'text' && part.text.value)).toEqual(texts(230));
    expect(shown.map(({ created_at }) => created_at)).toEqual(messages.map((one) => one['created_at']));
  }, 60_000);
});

describe('npm run import does not bring', () => {
  const text = 'SECRET TEXT';
  const message = (changed: Record<string, unknown>) => exportedMessage(threadId, 1, changed);
  const assistant = (changed: Record<string, unknown>) => ({
    ...{
      id: foreignId('asst'),
      object: 'assistant',
      created_at: exportedAt,
      model: 'gpt-5-mini',
      name: text,
    },
    ...changed,
  });

  test('what it does not know, says why, and brings the rest', async () => {
    const other = foreignId('thread');
    await exported.write('export.json', message({ content: [{ type: 'audio', audio: text }] }));
    await exported.write('other.json', exportedMessages(other, 2));
    const { code, stdout, stderr } = await exported.run('--apply');
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toContain(
      `- thread ${threadId}: message msg_${threadId.slice(7)}1: content[0].type: unknown`,
    );
    expect(stdout).not.toContain(text);
    expect((await t.call(threadPath(threadId))).status).toBe(404);
    expect(await textsOf(other)).toEqual(texts(2));
  }, 60_000);

  test('files if it is told to leave them out, which it reports', async () => {
    await exported.write('export.json', [
      exportedThread(threadId, { tool_resources: { code_interpreter: { file_ids: ['file-1'] } } }),
      message({ attachments: [{ file_id: 'file-1', tools: [] }] }),
      exportedMessage(threadId, 2, {
        content: [
          { type: 'image_file', image_file: { file_id: 'file-2' } },
          { type: 'text', text: { value: 'text 2', annotations: [{ type: 'file_citation' }] } },
        ],
      }),
      exportedMessage(threadId, 3, { content: [{ type: 'image_file', image_file: { file_id: 'file-3' } }] }),
    ]);
    const { code, stdout } = await exported.run('--apply', '--without-files');
    expect(code).toBe(0);
    for (const what of [
      '1 × attachments',
      '2 × an image_file',
      '1 × annotations',
      '1 × tool_resources.code_interpreter.file_ids',
    ]) {
      expect(stdout).toContain(what);
    }
    expect(stdout).toContain('1 × a message without content');
    expect(await textsOf(threadId)).toEqual(texts(2));
  }, 60_000);

  test('a thread that another project has, or a thread that was not imported', async () => {
    const { projectId } = await t.addProject();
    const ofOther = (await t.openThread(projectId)).split('/').at(-1) ?? '';
    const own = (await t.openThread()).split('/').at(-1) ?? '';
    await exported.write('export.json', [...exportedMessages(ofOther, 2), ...exportedMessages(own, 2)]);
    const { code, stdout } = await exported.run('--apply');
    expect(code).toBe(1);
    expect(stdout).toContain(`thread ${ofOther}: project ${projectId} has it, or has begun to import it`);
    expect(stdout).toContain(`thread ${own}: it exists, and was not imported`);
    expect((await t.call(threadPath(ofOther))).status).toBe(404);
    expect(await textsOf(own)).toEqual([]);
  }, 60_000);

  test('a thread that has been imported with other messages, or an assistant that differs', async () => {
    const changed = { id: foreignId('asst'), created_at: exportedAt };
    const configured = { ...assistant({ id: 'asst_test' }), model: 'gpt-5-mini' };
    await exported.write('export.json', [...exportedMessages(threadId, 2), assistant(changed)]);
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    await exported.write('export.json', [
      ...exportedMessages(threadId, 3),
      assistant({ ...changed, instructions: text }),
      configured,
    ]);
    const { code, stdout } = await exported.run('--apply');
    expect(code).toBe(1);
    expect(stdout).toContain(`thread ${threadId}: it has been imported, but with other messages`);
    expect(stdout).toContain(`assistant ${changed.id}: it exists and differs`);
    expect(stdout).toContain('1 there before');
    expect(await textsOf(threadId)).toEqual(texts(2));
  }, 60_000);

  test('anything with arguments that are wrong', async () => {
    expect(await exported.run('--apply', '--dry-run')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Usage:'),
    });
    const unknown = await createImport(t, 'nosuch');
    expect(await unknown.run()).toEqual({ code: 1, stdout: '', stderr: 'Project nosuch does not exist.\n' });
    await unknown.remove();
    expect(await unknown.run()).toMatchObject({ code: 1, stderr: `${unknown.folder} cannot be read.\n` });
  }, 60_000);
});
