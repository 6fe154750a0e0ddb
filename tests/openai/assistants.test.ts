import { beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { newId } from '../../shared/model/ids.ts';
import { createAssistantStore } from '../../shared/storage/assistantStore.ts';
import { type Client, failureOf, failuresOf, openClient } from '../support/assistantsApi.ts';
import { insertRows, rowsOf, threadsTable } from '../support/table.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let client: Client;
let editor: Client;
/** Of an editor of another project. */
let foreign: Client;
beforeAll(async () => {
  const { projectId } = await t.addProject({ groups: ['all'], editors: ['writers'] });
  const other = await t.addProject({ members: ['eve'], editors: ['eve'] });
  client = await openClient(t, { projectId, claims: { sub: 'member', groups: ['all'] } });
  editor = await openClient(t, { projectId, claims: { sub: 'eve', groups: ['all', 'writers'] } });
  foreign = await openClient(t, { projectId: other.projectId, claims: { sub: 'eve' } });
});

const poll = { pollIntervalMs: 25 };

const poet = {
  model: 'gpt-5-nano',
  name: 'Poet',
  description: 'Answers in verse',
  instructions: 'TestResponse in verse.',
  tools: [{ type: 'file_search' as const, file_search: { max_num_results: 3 } }],
  temperature: 0.3,
  metadata: { team: 'docs' },
};

test('the configured assistant is listed and retrieved', async () => {
  const { projectId } = await t.addProject({ assistantId: 'asst_second' });
  const { beta } = await openClient(t, { projectId });
  const { data, has_more } = await beta.assistants.list();
  expect(has_more).toBe(false);
  expect(data).toEqual([
    {
      id: 'asst_second',
      object: 'assistant',
      created_at: 0,
      name: 'Second',
      description: null,
      model: 'gpt-5-nano',
      instructions: null,
      tools: [],
      tool_resources: {},
      metadata: {},
      temperature: 1,
      top_p: 1,
      response_format: 'auto',
    },
  ]);
  expect(await beta.assistants.retrieve('asst_second')).toEqual(data[0]);
});

describe('an assistant that an editor creates', () => {
  test('is read, changed in part, listed and deleted', async () => {
    const created = await editor.beta.assistants.create(poet);
    expect(created).toEqual({
      ...poet,
      id: expect.stringMatching(/^asst_[a-z0-9]+$/),
      object: 'assistant',
      created_at: expect.any(Number),
      tool_resources: { file_search: { vector_store_ids: [] } },
      top_p: 1,
      response_format: 'auto',
    });
    expect(await editor.beta.assistants.retrieve(created.id)).toEqual(created);
    const changes = { name: 'Bard', description: null, metadata: { team: 'music' } };
    const updated = await editor.beta.assistants.update(created.id, changes);
    expect(updated).toEqual({ ...created, ...changes });
    const listed: string[] = [];
    for await (const { id } of client.beta.assistants.list({ limit: 1 })) listed.push(id);
    expect(listed).toEqual([created.id, 'asst_test']);
    const deleted = await editor.beta.assistants.delete(created.id);
    expect(deleted).toEqual({ id: created.id, object: 'assistant.deleted', deleted: true });
    expect((await failureOf(client.beta.assistants.retrieve(created.id))).status).toBe(404);
    expect((await failureOf(editor.beta.assistants.delete(created.id))).status).toBe(404);
  });

  test('serves every member’s runs, whose instructions are added to its own', async () => {
    const { id: assistant_id } = await editor.beta.assistants.create(poet);
    const run = await client.beta.threads.createAndRunPoll(
      {
        assistant_id,
        instructions: 'Be brief.',
        thread: { messages: [{ role: 'user', content: 'Hello' }] },
      },
      poll,
    );
    expect(run).toMatchObject({ status: 'completed', assistant_id, model: 'gpt-5-nano', temperature: 0.3 });
    const engineRun = (await t.engine.runs()).find(({ metadata }) => metadata['runId'] === run.id);
    expect(engineRun).toMatchObject({
      model: 'gpt-5-nano',
      instructions: 'TestResponse in verse.\n\nBe brief.',
    });
    const engine = new OpenAI({ baseURL: t.engine.url, apiKey: 'test' });
    expect((await engine.responses.retrieve(engineRun?.id ?? '')).tools).toEqual([
      expect.objectContaining({ type: 'file_search', vector_store_ids: ['vs_demo'], max_num_results: 3 }),
    ]);
  });

  test('shows its instructions in its runs, to editors only and as long as it exists', async () => {
    const { id: assistant_id } = await editor.beta.assistants.create(poet);
    const thread = { messages: [{ role: 'user' as const, content: 'Hello' }] };
    const { id, thread_id } = await client.beta.threads.createAndRunPoll({ assistant_id, thread }, poll);
    const shownTo = async ({ beta: { threads } }: Client) => {
      const { data } = await threads.runs.list(thread_id);
      const runs = [await threads.runs.retrieve(id, { thread_id }), ...data];
      return runs.map(({ instructions }) => instructions);
    };
    expect(await shownTo(editor)).toEqual([poet.instructions, poet.instructions]);
    expect(await shownTo(client)).toEqual(['', '']);
    await editor.beta.assistants.delete(assistant_id);
    expect(await shownTo(editor)).toEqual(['', '']);
  });

  test('may be as small as its model', async () => {
    const created = await editor.beta.assistants.create({ model: 'gpt-5-mini' });
    expect(created).toMatchObject({ name: null, instructions: null, tools: [], temperature: 1 });
  });

  test('may be large, and comes back as it was', async () => {
    const instructions = 'ä€😀'.repeat(10_000);
    const { id } = await editor.beta.assistants.create({ ...poet, instructions });
    expect((await editor.beta.assistants.retrieve(id)).instructions).toBe(instructions);
    await editor.beta.assistants.update(id, { instructions: 'Short.' });
    expect((await editor.beta.assistants.retrieve(id)).instructions).toBe('Short.');
  });

  test('belongs to its project alone', async () => {
    const { id } = await editor.beta.assistants.create(poet);
    const { assistants, threads } = foreign.beta;
    const { id: threadId } = await threads.create();
    const calls = [
      assistants.retrieve(id),
      assistants.update(id, { name: 'Mine' }),
      assistants.delete(id),
      threads.runs.create(threadId, { assistant_id: id }),
    ];
    for (const { status } of await failuresOf(calls)) expect(status).toBe(404);
    expect((await assistants.list()).data.map((one) => one.id)).toEqual(['asst_test']);
    expect((await editor.beta.assistants.retrieve(id)).name).toBe('Poet');
  });

  test('is not for callers who are no editors', async () => {
    const { id } = await editor.beta.assistants.create(poet);
    const { assistants } = client.beta;
    const calls = [assistants.create(poet), assistants.update(id, { name: 'Mine' }), assistants.delete(id)];
    for (const error of await failuresOf(calls)) {
      expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
      expect(error.code).toBe('editor_required');
    }
    expect((await assistants.retrieve(id)).instructions).toBeNull();
  });

  test('is changed by two editors at once without losing either change', async () => {
    const { id } = await editor.beta.assistants.create(poet);
    await Promise.all([
      editor.beta.assistants.update(id, { name: 'Bard' }),
      editor.beta.assistants.update(id, { instructions: 'Sing.' }),
    ]);
    expect(await editor.beta.assistants.retrieve(id)).toMatchObject({ name: 'Bard', instructions: 'Sing.' });
  });
});

/** Opens a project of its own, for an editor, whose list has nothing but its configured assistant. */
async function openProject() {
  const { projectId } = await t.addProject({ members: ['eve'], editors: ['eve'] });
  const { assistants } = (await openClient(t, { projectId, claims: { sub: 'eve' } })).beta;
  const add = async (createdAt: Date, id = newId('asst', createdAt)) => {
    const store = createAssistantStore(threadsTable);
    await store.add({ projectId, id, createdAt, name: '', instructions: '', model: 'gpt-5-nano' });
    return id;
  };
  return { projectId, assistants, add };
}

describe('the list of assistants', () => {
  type Lists = Pick<Client['beta']['assistants'], 'list'>;
  type Query = { readonly limit: number; readonly order: 'asc' | 'desc' };

  /** Reads all pages, each after the last or before the first assistant of the page before it. */
  async function walk(assistants: Lists, query: Query, cursor: 'after' | 'before', from?: string) {
    const ids: string[] = [];
    for (let position = from; ; ) {
      const page = await assistants.list({ ...query, ...(position && { [cursor]: position }) });
      const found = page.data.map(({ id }) => id);
      if (cursor === 'after') ids.push(...found);
      else ids.unshift(...found);
      if (!page.has_more) return ids;
      position = cursor === 'after' ? found.at(-1) : found[0];
    }
  }

  test('has each once in both directions and orders, those of one moment among them', async () => {
    const { assistants, add } = await openProject();
    const now = Math.floor(Date.now() / 1000) * 1000;
    for (const [age, id] of [
      ...[
        [0],
        [1],
        [1],
        [1],
        [5_000, 'asst_Hx3'],
        [5_000, 'asst_Hx'],
        [5_000, 'asst_Hxa'],
        [5_000, 'asst_0'],
      ],
      ...[[9_000]],
    ] as [number, string?][]) {
      await add(new Date(now - age), id);
    }
    const all = (await assistants.list()).data;
    const newestFirst = all.map(({ id }) => id);
    expect(newestFirst.at(-1)).toBe('asst_test');
    expect(new Set(newestFirst).size).toBe(10);
    const times = all.map(({ created_at }) => created_at);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    for (const order of ['desc', 'asc'] as const) {
      const ids = order === 'desc' ? newestFirst : newestFirst.toReversed();
      for (const limit of [1, 3, 9, 10]) {
        expect(await walk(assistants, { limit, order }, 'after')).toEqual(ids);
        const before = await walk(assistants, { limit, order }, 'before', ids.at(-1));
        expect(before).toEqual(ids.slice(0, -1));
      }
    }
  });

  test.each(['desc', 'asc'] as const)(
    'has each once (%s), while others are created and what it has shown is deleted',
    async (order) => {
      const { assistants, add } = await openProject();
      const now = Date.now();
      const ids = await Promise.all([5, 4, 3, 2, 1].map((age) => add(new Date(now - age * 1_000))));
      const shown: string[] = [];
      for await (const { id } of assistants.list({ order, limit: 2 })) {
        shown.push(id);
        if (shown.length > 20) throw new Error('the list does not end');
        if (id === 'asst_test' || !ids.includes(id)) continue;
        await assistants.delete(id);
        if (shown.length < 5) await assistants.create({ model: 'gpt-5-nano' });
      }
      const expected = order === 'desc' ? [...ids.toReversed(), 'asst_test'] : ['asst_test', ...ids];
      expect(shown.filter((id) => expected.includes(id))).toEqual(expected);
      expect(new Set(shown).size).toBe(shown.length);
    },
  );

  test('costs what its pages show, however many there are', async () => {
    const { assistants, add } = await openProject();
    const ids: string[] = [];
    for (let age = 20; age > 0; age--) ids.push(await add(new Date(Date.now() - age * 1_000)));
    await assistants.list({ limit: 1 });
    const cursor = ids[10] ?? '';
    for (const query of [{}, { after: cursor }, { before: cursor }]) {
      for (const order of ['desc', 'asc'] as const) {
        t.store.reset();
        expect((await assistants.list({ limit: 3, order, ...query })).data).toHaveLength(3);
        const [cursors, rows] = 'after' in query || 'before' in query ? [['read'], 5] : [[], 4];
        expect(t.store.roundTrips).toEqual([...cursors, 'query']);
        expect(t.store.rowsRead()).toBeLessThanOrEqual(rows);
      }
    }
  });

  test('refuses a cursor that no assistant has or had', async () => {
    const { assistants, add } = await openProject();
    const gone = await add(new Date(1_700_000_000_000), 'asst_Gone');
    await assistants.delete(gone);
    for (const id of [gone, 'asst_', 'x', "asst_' or 1 eq 1", 'list_desc_all_']) {
      for (const param of ['after', 'before']) {
        const listing = Promise.resolve(assistants.list({ [param]: id }));
        expect(await failureOf(listing)).toMatchObject({ status: 400, param });
      }
    }
  });
});

test('a create costs one round trip, whatever the number of assistants', async () => {
  const { projectId, assistants } = await openProject();
  const keys = Array.from({ length: 1_100 }, (_, index) => `list_desc_all_${String(index).padStart(4, '0')}`);
  await insertRows(keys.map((rowKey) => ({ partitionKey: `${projectId}:assistants`, rowKey })));
  await assistants.retrieve('asst_test');
  t.store.reset();
  await assistants.create({ model: 'gpt-5-nano' });
  expect(t.store.roundTrips).toEqual(['transaction']);
});

test('an assistant is created, changed and deleted once when the store’s responses are lost', async () => {
  const { projectId, assistants } = await openProject();
  t.store.inject('transaction', 'lose');
  const { id } = await assistants.create({ model: 'gpt-5-nano', name: 'Poet' });
  t.store.inject('transaction', 'lose');
  const changed = await assistants.update(id, { name: 'Bard' });
  expect(await assistants.retrieve(id)).toEqual(changed);
  for (const order of ['asc', 'desc'] as const) {
    const { data } = await assistants.list({ order });
    expect(data.filter((one) => one.id !== 'asst_test')).toEqual([changed]);
  }
  t.store.inject('transaction', 'lose');
  expect((await assistants.delete(id)).deleted).toBe(true);
  expect(await rowsOf(projectId)).toEqual([]);
});

test('an assistant that is deleted while it is changed leaves nothing', async () => {
  const { projectId, assistants } = await openProject();
  for (let round = 0; round < 5; round++) {
    const { id } = await assistants.create({ model: 'gpt-5-nano' });
    const changing = [1, 2].map((name) => assistants.update(id, { name: String(name) }));
    const [deleted] = await Promise.allSettled([assistants.delete(id), ...changing]);
    expect(deleted.status).toBe('fulfilled');
  }
  expect(await rowsOf(projectId)).toEqual([]);
});

test.each<[string, object]>([
  ['model', { model: 'gpt-4o' }],
  ['model', { model: undefined }],
  ['tools[0].type', { tools: [{ type: 'web_search' }] }],
  ['tools[0].type', { tools: [{ type: 'retrieval' }] }],
  ['file_ids', { file_ids: ['file-1'] }],
  ['instructions', { instructions: '😀'.repeat(256_000) }],
  ['top_p', { top_p: 2 }],
  ['temperature', { temperature: '1' }],
  [
    'tool_resources.file_search.vector_store_ids',
    { tool_resources: { file_search: { vector_store_ids: ['vs_x', 'vs_y'] } } },
  ],
  ['colour', { colour: 'red' }],
])('an invalid %s is refused by its name', async (param, changes) => {
  const error = await failureOf(editor.beta.assistants.create({ ...poet, ...changes }));
  expect(error).toMatchObject({ status: 400, param });
});

test('the configured assistant is not changed here', async () => {
  const updated = await failureOf(editor.beta.assistants.update('asst_test', { name: 'Mine' }));
  expect(updated.status).toBe(400);
  expect((await failureOf(editor.beta.assistants.delete('asst_test'))).status).toBe(400);
});
