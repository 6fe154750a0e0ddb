import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makePlan, type PlanOptions } from '../../scripts/import/plan.ts';
import { readExport } from '../../scripts/import/readExport.ts';
import {
  exportedAt,
  exportedMessage,
  exportedMessages,
  exportedPage,
  exportedThread,
  toLines,
} from '../support/importing.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'import-plan-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const threadId = 'thread_A';
const other = 'thread_B';

/** Plans the import of some files. @param files by name; JSON unless it is text. */
async function plan(files: Record<string, unknown>, options: Partial<PlanOptions> = {}) {
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  const models = new Set(['gpt-5-mini']);
  const content = await readExport(folder);
  return makePlan(content, { projectId: 'p', models, withoutFiles: false, order: 0, ...options });
}

const textsOf = ({ threads }: Awaited<ReturnType<typeof plan>>, id = threadId) =>
  threads
    .find((thread) => thread.threadId === id)
    ?.messages.map(({ message: { parts } }) => parts[0]?.type === 'text' && parts[0].text);

describe('an import', () => {
  test.each<[string, Record<string, unknown>]>([
    ['an array', { 'a.json': exportedMessages(threadId, 3) }],
    [
      'pages that overlap',
      {
        '2.json': exportedPage(exportedMessages(threadId, 3).slice(0, 2), true),
        '10.json': exportedPage(exportedMessages(threadId, 3).slice(1)),
      },
    ],
    ['pages of pages', { 'a.json': [exportedPage(exportedMessages(threadId, 3))] }],
    [
      'single objects',
      Object.fromEntries(exportedMessages(threadId, 3).map((one, index) => [`${index}.json`, one])),
    ],
    ['lines', { 'a.jsonl': toLines(...exportedMessages(threadId, 3)) }],
    [
      'lines that end in CR LF, after a byte order mark',
      {
        'a.ndjson': `\uFEFF${toLines(...exportedMessages(threadId, 3)).replaceAll('\n', '\r\n\r\n')}`,
      },
    ],
    ['lines in a file of another name', { 'a.json': toLines(...exportedMessages(threadId, 3)) }],
    [
      'a thread with its messages',
      { 'a.json': { ...exportedThread(threadId), messages: exportedMessages(threadId, 3) } },
    ],
    [
      'a thread with a page of messages that do not name it',
      {
        'a.jsonl': toLines({
          ...exportedThread(threadId),
          messages: exportedPage(exportedMessages(threadId, 3).map(({ thread_id: _, ...rest }) => rest)),
        }),
      },
    ],
    [
      'texts without annotations, as a create takes them',
      {
        'a.json': [1, 2, 3].map((number) =>
          exportedMessage(threadId, number, {
            content: number === 1 ? 'text 1' : [{ type: 'text', text: `text ${number}` }],
          }),
        ),
      },
    ],
  ])('reads %s', async (_form, files) => {
    const planned = await plan(files);
    expect(planned.problems).toEqual([]);
    expect(textsOf(planned)).toEqual(['text 1', 'text 2', 'text 3']);
  });

  const at = (number: number) => exportedMessage(threadId, number, { created_at: exportedAt });

  test.each<[string, () => unknown[], Partial<PlanOptions>]>([
    ['from the times', () => exportedMessages(threadId, 3).toReversed(), {}],
    [
      'from other threads of the file',
      () => [...exportedMessages(other, 2).toReversed(), at(3), at(2), at(1)],
      {},
    ],
    ['from the option', () => [at(3), at(2), at(1)], { order: -1 }],
    ['from the option, oldest first', () => [at(1), at(2), at(3)], { order: 1 }],
  ])('finds the order of messages %s', async (_from, content, options) => {
    expect(textsOf(await plan({ 'a.json': content() }, options))).toEqual(['text 1', 'text 2', 'text 3']);
  });

  test('finds the order of messages from the roles, and keeps that of one second', async () => {
    expect(textsOf(await plan({ 'a.json': [at(2), at(1)] }))).toEqual(['text 1', 'text 2']);
    const same = [
      exportedMessage(threadId, 4),
      exportedMessage(threadId, 3, { created_at: exportedAt + 4 }),
      at(1),
    ];
    expect(textsOf(await plan({ 'a.json': same }))).toEqual(['text 1', 'text 3', 'text 4']);
  });

  test('brings an assistant as list routes show it', async () => {
    const { assistants, problems } = await plan({
      'a.json': {
        ...{ id: 'asst_A', object: 'assistant', created_at: exportedAt, model: 'gpt-5-mini', name: null },
        ...{ file_ids: [], reasoning_effort: null, temperature: 0.5, response_format: 'auto', metadata: {} },
        tools: [
          {
            type: 'file_search',
            file_search: {
              max_num_results: 5,
              ranking_options: { ranker: 'default_2024_08_21', hybrid_search: null, score_threshold: 0 },
            },
          },
        ],
        tool_resources: { file_search: { vector_store_ids: [] } },
      },
    });
    expect([problems, assistants]).toEqual([
      [],
      [
        {
          ...{ id: 'asst_A', projectId: 'p', createdAt: new Date(exportedAt * 1000), model: 'gpt-5-mini' },
          ...{
            name: '',
            instructions: '',
            temperature: 0.5,
            tools: [{ type: 'file_search', maxResults: 5 }],
          },
        },
      ],
    ]);
  });

  test('says what it leaves out of what it brings', async () => {
    const annotated = { type: 'text', text: { value: 'text 1', annotations: [{ type: 'file_citation' }] } };
    const { leftOut, problems } = await plan({
      'a.json': [
        exportedMessage(threadId, 1, { content: [annotated], sender: 'x' }),
        exportedMessage(threadId, 2, {
          content: [{ type: 'refusal', refusal: 'text 2' }],
          status: 'incomplete',
        }),
        { id: 'run_1', object: 'thread.run', thread_id: threadId, status: 'completed' },
        exportedMessage(other, 1, { content: [annotated, { type: 'audio' }] }),
      ],
      'notes.txt': 'x',
    });
    expect(Object.fromEntries(leftOut)).toEqual({
      'file notes.txt': 1,
      'a thread.run': 1,
      'annotations of a text': 1,
      "'sender' of a message": 1,
      'that a text is a refusal': 1,
      'that a message is incomplete': 1,
      'the metadata of a thread that is not in the files itself': 1,
    });
    expect(problems).toHaveLength(1);
  });
});

describe('an import does not bring', () => {
  const text = 'SECRET TEXT';
  const message = (changed: Record<string, unknown>) => exportedMessage(threadId, 1, changed);
  const assistant = (changed: Record<string, unknown>) => ({
    ...{ id: 'asst_A', object: 'assistant', created_at: exportedAt, model: 'gpt-5-mini', name: text },
    ...changed,
  });

  test.each<[string, () => unknown, string]>([
    [
      'a file of a message',
      () => message({ content: [{ type: 'image_file', image_file: { file_id: 'file-1' } }] }),
      'content[0].image_file: this file does not exist here',
    ],
    ['attachments', () => message({ attachments: [{ file_id: 'file-1', tools: [] }] }), 'attachments: these'],
    ['files of the first version', () => message({ file_ids: ['file-1'] }), 'file_ids: these'],
    ['a part of an unknown type', () => message({ content: [{ type: 'audio', audio: text }] }), "'audio'"],
    ['a part of a type that is no word', () => message({ content: [{ type: text }] }), '(not a word)'],
    [
      'an image without a URL',
      () => message({ content: [{ type: 'image_url', image_url: { url: text } }] }),
      'url',
    ],
    ['content that is none', () => message({ content: 7 }), 'content: neither'],
    ['an unknown role', () => message({ role: 'system' }), "Invalid value for 'role'"],
    ['metadata that is no text', () => message({ metadata: { a: 1 } }), 'metadata'],
    ['a message without a time', () => message({ created_at: null }), 'created_at'],
    ['a message of no thread', () => message({ thread_id: '../x' }), 'thread_id: not an id'],
    ['a message that is being written', () => message({ status: 'in_progress' }), 'still being written'],
    ['an incomplete list', () => exportedPage([message({})], true), 'has_more'],
    [
      'what is there twice and differs',
      () => [message({ content: text }), message({ content: 'x' })],
      'a.json[0], a.json[1]',
    ],
    [
      'messages of one second whose order nothing tells',
      () => [1, 3].map((number) => exportedMessage(threadId, number, { created_at: exportedAt })),
      '--order',
    ],
    [
      'a thread with an active run',
      () => [message({}), { id: 'run_1', object: 'thread.run', thread_id: threadId, status: 'in_progress' }],
      'a run of it was active',
    ],
    [
      'a thread with vector stores',
      () => exportedThread(threadId, { tool_resources: { file_search: { vector_store_ids: ['vs_1'] } } }),
      'tool_resources.file_search.vector_store_ids',
    ],
    ['a thread whose id is none', () => exportedThread('thread_a b'), 'id: not an id'],
    ['an unknown kind', () => ({ object: 'vector_store', id: 'vs_1', name: text }), "'vector_store'"],
    ['what is no object', () => [text], 'neither an object'],
    ['a list without data', () => ({ object: 'list' }), 'a list without data'],
    ['what does not say what it is', () => ({ text }), 'does not say what it is'],
    ['a file without JSON', () => `{"${text}`, 'no JSON'],
    ['a file whose lines are no JSON', () => `${text}\n${text}`, 'a.json: no JSON'],
    ['a model that is not configured', () => assistant({ model: 'gpt-4o' }), 'not one of this service'],
    ['an unknown tool', () => assistant({ tools: [{ type: 'retrieval' }] }), 'tools[0].type'],
    ['files of an assistant', () => assistant({ file_ids: ['file-1'] }), "'file_ids'"],
    ['an assistant whose id is none', () => assistant({ id: 'assistant one' }), 'not an id of an assistant'],
    [
      'an assistant that ranks its search',
      () =>
        assistant({
          tools: [{ type: 'file_search', file_search: { ranking_options: { score_threshold: 50 } } }],
        }),
      'ranking_options',
    ],
  ])('%s, and brings the rest', async (_what, content, why) => {
    const planned = await plan({ 'a.json': content(), 'b.json': exportedMessages(other, 2) });
    expect([planned.assistants, planned.threads.map((thread) => thread.threadId)]).toEqual([[], [other]]);
    expect(planned.problems).toEqual([{ what: expect.any(String), why: expect.stringContaining(why) }]);
    expect(JSON.stringify(planned.problems)).not.toContain(text);
  });
});
