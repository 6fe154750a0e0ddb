import { isDeepStrictEqual } from 'node:util';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import { type Client, failureOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* Vector stores that programs make, in assistants, threads and runs. */

const t = useService();
let projectId: string;
let client: Client;
let editor: Client;
let engine: OpenAI;
let recipes: Store;
let manuals: Store;
/** The file of the recipes. */
let recipeId: string;
/** The file of the manuals. */
let pumpId: string;
/** An assistant that searches the manuals. */
let assistant_id: string;

interface Store {
  readonly id: string;
  readonly engineStoreId: string;
  readonly delete: () => Promise<unknown>;
}

const upload = async (name: string, content: string) => {
  const file = await toFile(Buffer.from(content), name);
  return (await client.files.create({ purpose: 'assistants', file })).id;
};

/** Creates a vector store of a project. */
async function createStore({ vectorStores }: Client, file_ids: string[] = []): Promise<Store> {
  const { id } = await vectorStores.create({ file_ids });
  const engineStoreId = (await engine.vectorStores.list({ order: 'desc' })).data[0]?.id ?? '';
  return { id, engineStoreId, delete: () => vectorStores.delete(id) };
}

beforeAll(async () => {
  ({ projectId } = await t.addProject({ members: ['member', 'eve'], editors: ['eve'] }));
  client = await openClient(t, { projectId, claims: { sub: 'member' } });
  editor = await openClient(t, { projectId, claims: { sub: 'eve' } });
  engine = new OpenAI({ baseURL: t.engine.url, apiKey: 'test' });
  recipeId = await upload('pie.md', '# Rhubarb pie\n\nRhubarb pie takes three pounds of rhubarb.');
  pumpId = await upload('pump.md', '# Bilge pump\n\nThe bilge pump takes a fuse of five amperes.');
  recipes = await createStore(client, [recipeId]);
  manuals = await createStore(client, [pumpId]);
  ({ id: assistant_id } = await editor.beta.assistants.create({
    model: 'gpt-5-nano',
    tools: [{ type: 'file_search' }],
    tool_resources: naming(manuals),
  }));
});

const poll = { pollIntervalMs: 25 };
const naming = (...stores: Store[]) => ({ file_search: { vector_store_ids: stores.map(({ id }) => id) } });
const asking = (content: string) => [{ role: 'user' as const, content }];

/** Returns the search tools of a run, one for each round. */
const searchesOf = async (runId: string) =>
  (await t.engine.roundsOf(runId)).map(({ tools }) => tools.find(({ type }) => type === 'file_search'));

/** Returns the vector stores that the rounds of a run searched. */
const searchedBy = async (runId: string) =>
  (await searchesOf(runId)).map((tool) => tool?.['vector_store_ids']);

/** Waits for a run that asks for a function. */
async function startWaiting(thread: OpenAI.Beta.ThreadCreateAndRunParams['thread']) {
  await t.engine.outcome(replies.functionCall('get_weather', {}));
  const { id } = await editor.beta.assistants.create({
    model: 'gpt-5-nano',
    tools: [{ type: 'file_search' }, { type: 'function', function: { name: 'get_weather' } }],
  });
  const run = await client.beta.threads.createAndRunPoll(
    { assistant_id: id, thread: { messages: asking('Rhubarb?'), ...thread } },
    poll,
  );
  const [call] = run.required_action?.submit_tool_outputs.tool_calls ?? [];
  return {
    run,
    outputs: { thread_id: run.thread_id, tool_outputs: [{ tool_call_id: call?.id ?? '', output: 'sunny' }] },
  };
}

test('assistants and threads show the vector stores that they name, until others are named or none', async () => {
  const { assistants, threads } = editor.beta;
  const both = [
    [assistants, await assistants.create({ model: 'gpt-5-nano', tool_resources: naming(recipes) })],
    [threads, await threads.create({ tool_resources: naming(recipes) })],
  ] as const;
  for (const [objects, created] of both) {
    expect(created.tool_resources).toEqual(naming(recipes));
    expect(await objects.retrieve(created.id)).toEqual(created);
    expect((await objects.update(created.id, { metadata: { a: 'b' } })).tool_resources).toEqual(
      naming(recipes),
    );
    const files = { code_interpreter: { file_ids: [recipeId] } };
    expect((await objects.update(created.id, { tool_resources: files })).tool_resources).toEqual({
      ...files,
      ...naming(recipes),
    });
    const changed = await objects.update(created.id, { tool_resources: naming(manuals) });
    expect(changed.tool_resources).toEqual({ ...files, ...naming(manuals) });
    const without = await objects.update(created.id, {
      tool_resources: { file_search: { vector_store_ids: [] } },
    });
    expect(without.tool_resources).toEqual(files);
    expect(await objects.retrieve(created.id)).toEqual(without);
    const many = failureOf(objects.update(created.id, { tool_resources: naming(recipes, manuals) }));
    expect(await many).toMatchObject({
      status: 400,
      param: 'tool_resources.file_search.vector_store_ids',
      code: 'array_above_max_length',
    });
  }
});

test('a vector store is created with the assistant or the thread that names it', async () => {
  const chunking_strategy = {
    type: 'static' as const,
    static: { max_chunk_size_tokens: 300, chunk_overlap_tokens: 50 },
  };
  const described = { file_ids: [recipeId], metadata: { of: 'a thread' }, chunking_strategy };
  const tool_resources = { file_search: { vector_stores: [described] } };
  const { threads, assistants } = editor.beta;
  const tools = [{ type: 'file_search' as const }];
  const assistant = await assistants.create({ model: 'gpt-5-nano', tools, tool_resources });
  const thread = await threads.create({ tool_resources });
  const run = await threads.createAndRunPoll(
    { assistant_id: assistant.id, thread: { messages: asking('Rhubarb?'), tool_resources } },
    poll,
  );
  expect(run.status).toBe('completed');
  const objects = [assistant, thread, await threads.retrieve(run.thread_id)];
  const ids = objects.map((object) => object.tool_resources?.file_search?.vector_store_ids?.[0] ?? '');
  expect(new Set(ids).size).toBe(3);
  for (const [index, id] of ids.entries()) {
    const store = await client.vectorStores.retrieve(id);
    expect(store.metadata).toEqual(described.metadata);
    const isOfAssistant = index === 0;
    expect(store.expires_after).toEqual(isOfAssistant ? undefined : { anchor: 'last_active_at', days: 7 });
    expect((await client.vectorStores.files.list(id)).data).toMatchObject([
      { id: recipeId, chunking_strategy },
    ]);
  }
  const [searched] = await searchedBy(run.id);
  expect(searched).toHaveLength(2);
  const { metadata } = await engine.vectorStores.retrieve((searched as string[])[0] ?? '');
  expect(metadata).toMatchObject(described.metadata);
});

test('a vector store is not kept if what names it is refused', async () => {
  const { threads, assistants } = editor.beta;
  const before = (await client.vectorStores.list()).data;
  const creating = (file_ids: string[]) => ({ file_search: { vector_stores: [{ file_ids }] } });
  const both = { file_search: { ...naming(recipes).file_search, vector_stores: [{}] } };
  const attachments = [{ file_id: 'file-none', tools: [{ type: 'file_search' as const }] }];
  const messages = [{ role: 'user' as const, content: 'Hello', attachments }];
  for (const [call, status, param] of [
    [() => assistants.create({ model: 'gpt-none', tool_resources: creating([]) }), 400, 'model'],
    [() => threads.create({ messages, tool_resources: creating([]) }), 404, 'file_id'],
    [
      () => threads.createAndRun({ assistant_id, thread: { messages, tool_resources: creating([]) } }),
      ...[404, 'file_id'],
    ],
    [
      () => threads.createAndRun({ assistant_id: 'asst_none', thread: { tool_resources: creating([]) } }),
      ...[404, 'assistant_id'],
    ],
    [() => threads.create({ tool_resources: creating(['file-none']) }), 404, 'file_id'],
    [() => threads.create({ tool_resources: both }), 400, 'tool_resources.file_search.vector_stores'],
    [
      () => threads.update('thread_none', { tool_resources: creating([]) } as never),
      ...[400, 'tool_resources.file_search.vector_stores'],
    ],
  ] as [() => Promise<unknown>, number, string][]) {
    expect(await failureOf(call())).toMatchObject({ status, param });
  }
  expect((await client.vectorStores.list()).data).toEqual(before);
});

describe('a run', () => {
  test('searches the vector stores of its thread and its assistant, and cites files by their ids', async () => {
    const messages = asking('How much rhubarb does a rhubarb pie take?');
    const run = await client.beta.threads.createAndRunPoll(
      { assistant_id, thread: { messages, tool_resources: naming(recipes) } },
      poll,
    );
    expect(run.status).toBe('completed');
    expect(await searchedBy(run.id)).toEqual([[recipes.engineStoreId, manuals.engineStoreId]]);
    const lines = t.log().split('\n');
    const line = lines.find((one) => one.includes(run.id) && one.includes('createThreadAndRun'));
    expect(line).toContain('"vectorStoresLeftOut":1');
    const [reply] = (await client.beta.threads.messages.list(run.thread_id)).data;
    const [part] = reply?.content ?? [];
    const { value, annotations } = part?.type === 'text' ? part.text : { value: '', annotations: [] };
    expect(value).toContain('three pounds');
    expect(annotations).toMatchObject([{ file_citation: { file_id: recipeId } }]);
    expect(await client.files.retrieve(recipeId)).toMatchObject({
      filename: 'pie.md',
      purpose: 'assistants',
    });
    const steps = await client.beta.threads.runs.steps.list(run.id, {
      thread_id: run.thread_id,
      order: 'asc',
    });
    expect(steps.data[0]?.step_details).toMatchObject({
      tool_calls: [
        { type: 'file_search', file_search: { results: [{ file_id: recipeId, file_name: 'pie.md' }] } },
      ],
    });
  });

  test('streams the same citations', async () => {
    const stream = client.beta.threads.createAndRunStream({
      assistant_id,
      thread: { messages: asking('Which fuse does the bilge pump take?') },
    });
    const [message] = await stream.finalMessages();
    const { id, thread_id } = await stream.finalRun();
    expect(await searchedBy(id)).toEqual([[manuals.engineStoreId, 'vs_demo']]);
    const [reply] = (await client.beta.threads.messages.list(thread_id)).data;
    expect(message?.content).toEqual(reply?.content);
    expect(JSON.stringify(reply)).toContain('"file_citation":{"file_id":"file_');
  });

  test('may search others than its assistant', async () => {
    const run = await client.beta.threads.createAndRunPoll(
      { assistant_id, thread: { messages: asking('Rhubarb?') }, tool_resources: naming(recipes) },
      poll,
    );
    expect(await searchedBy(run.id)).toEqual([[recipes.engineStoreId, 'vs_demo']]);
    expect((await editor.beta.assistants.retrieve(assistant_id)).tool_resources).toEqual(naming(manuals));
  });

  test('searches as an editor chooses for it', async () => {
    const { id } = await client.beta.threads.create({
      messages: asking('Rhubarb?'),
      tool_resources: naming(recipes),
    });
    const ranking_options = { ranker: 'default_2024_08_21' as const, score_threshold: 0.4 };
    const run = await editor.beta.threads.runs.createAndPoll(
      id,
      {
        assistant_id: 'asst_test',
        tools: [{ type: 'file_search', file_search: { max_num_results: 4, ranking_options } }],
        tool_choice: { type: 'file_search' },
      },
      poll,
    );
    expect(run).toMatchObject({
      status: 'completed',
      tool_choice: { type: 'file_search' },
      tools: [
        {
          type: 'file_search',
          file_search: { max_num_results: 4, ranking_options: { ranker: 'auto', score_threshold: 0.4 } },
        },
      ],
    });
    expect(await searchesOf(run.id)).toMatchObject([
      {
        vector_store_ids: [recipes.engineStoreId, 'vs_demo'],
        max_num_results: 4,
        ranking_options: { score_threshold: 0.4 },
      },
    ]);
  });

  test('waits until the files of its thread are indexed, which a search would say nothing of', async () => {
    const message = 'Which oil does the gearbox take?';
    const file = await upload('gearbox.md', '# Gearbox\n\nThe gearbox takes oil of grade ninety.');
    const tool_resources = { file_search: { vector_stores: [{ file_ids: [file] }] } };
    await t.engine.timing({ indexMs: 1_500 });
    const { id } = await client.beta.threads.create({ tool_resources });
    const { run } = await t.startRun(`projects/${projectId}/threads/${id}`, { body: { message } });
    const thread = { messages: asking(message), tool_resources };
    const other = await client.beta.threads.createAndRunPoll({ assistant_id: 'asst_test', thread }, poll);
    expect((await t.finish(run)).body.status).toBe('completed');
    for (const threadId of [id, other.thread_id]) {
      const { data } = await client.beta.threads.messages.list(threadId);
      expect(JSON.stringify(data[0])).toContain(`"file_citation":{"file_id":"${file}"}`);
    }
  });

  test('does not wait for the files of its assistant, nor for ever', async () => {
    const file = await upload('rudder.md', '# Rudder\n\nThe rudder takes three bolts.');
    await t.engine.timing({ indexMs: 600_000 });
    const stored = await createStore(client, [file]);
    const { id } = await editor.beta.assistants.create({
      model: 'gpt-5-nano',
      tools: [{ type: 'file_search' }],
      tool_resources: naming(stored),
    });
    await t.engine.reset();
    const thread = { messages: asking('Rudder?') };
    await client.beta.threads.createAndRunPoll({ assistant_id: id, thread }, poll);
    expect(await t.engine.calls()).not.toContainEqual(expect.stringContaining('GET /v1/vector_stores'));
    const searching = { ...thread, tool_resources: naming(stored) };
    const run = await client.beta.threads.createAndRunPoll({ assistant_id: id, thread: searching }, poll);
    expect(run.status).toBe('completed');
  });

  test('starts whatever the engine says of a vector store that it looks at', async () => {
    const { id } = await client.beta.threads.create({ tool_resources: naming(recipes) });
    for (const fault of [{ kind: 'status', status: 500 }, { kind: 'drop' }, { kind: 'garbage' }] as const) {
      await t.engine.fault({ method: 'GET', path: '/v1/vector_stores/*' }, fault);
      const { run } = await t.startRun(`projects/${projectId}/threads/${id}`);
      expect((await t.finish(run)).body.status).toBe('completed');
    }
  });

  test('of the project API searches those of the thread, at the cost of one look', async () => {
    const { id } = await client.beta.threads.create({ tool_resources: naming(recipes) });
    await t.engine.reset();
    t.store.reset();
    const { run, runId } = await t.startRun(`projects/${projectId}/threads/${id}`);
    expect(t.store.roundTrips).toEqual(['read', 'transaction', 'merge']);
    expect(await t.engine.calls()).toEqual([
      `GET /v1/vector_stores/${recipes.engineStoreId}`,
      'POST /v1/responses',
    ]);
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await searchedBy(runId)).toEqual([[recipes.engineStoreId, 'vs_demo']]);
  });

  test('whose assistant does not search leaves them alone', async () => {
    const { id } = await editor.beta.assistants.create({
      model: 'gpt-5-nano',
      tools: [{ type: 'code_interpreter' }],
      tool_resources: naming(manuals),
    });
    const run = await client.beta.threads.createAndRunPoll(
      { assistant_id: id, thread: { messages: asking('Rhubarb?'), tool_resources: naming(recipes) } },
      poll,
    );
    expect(await searchedBy(run.id)).toEqual([undefined]);
  });

  test('searches the same in every round, whatever becomes of its thread', async () => {
    const { run, outputs } = await startWaiting({ tool_resources: naming(recipes) });
    await client.beta.threads.update(run.thread_id, { tool_resources: naming(manuals) });
    const ended = await client.beta.threads.runs.submitToolOutputsAndPoll(run.id, outputs, poll);
    expect(ended.status).toBe('completed');
    const same = [recipes.engineStoreId, 'vs_demo'];
    expect(await searchedBy(run.id)).toEqual([same, same]);
  });
});

describe('a file that a message attaches for searches', () => {
  const attaching = (content: string, ...ids: string[]) => ({
    ...{ role: 'user' as const, content },
    attachments: ids.map((file_id) => ({ file_id, tools: [{ type: 'file_search' as const }] })),
  });
  const storesOf = ({ tool_resources }: OpenAI.Beta.Thread) => tool_resources?.file_search?.vector_store_ids;
  const filesIn = async (storeId = '') =>
    (await client.vectorStores.files.list(storeId, { order: 'asc' })).data.map(({ id, status }) => [
      id,
      status,
    ]);
  const engineStores = async () =>
    (await engine.vectorStores.list({ limit: 100 })).data.map(({ id }) => id).toSorted();
  /** Returns the text of the newest reply, and the files it cites. */
  const replyIn = async (threadId: string) => {
    const [part] = (await client.beta.threads.messages.list(threadId)).data[0]?.content ?? [];
    const { value, annotations } = part?.type === 'text' ? part.text : { value: '', annotations: [] };
    const cited = annotations.map(
      (annotation) => 'file_citation' in annotation && annotation.file_citation.file_id,
    );
    return { value, cited: new Set(cited) };
  };

  test('is in a vector store of its thread, which this and later runs search', async () => {
    const { threads } = client.beta;
    const listed = (await client.vectorStores.list()).data;
    const message = attaching('How much rhubarb does a rhubarb pie take?', recipeId);
    const thread = await threads.create({ messages: [message] });
    const [storeId] = storesOf(thread) ?? [];
    expect(await threads.retrieve(thread.id)).toEqual(thread);
    expect(await client.vectorStores.retrieve(storeId ?? '')).toMatchObject({
      status: 'completed',
      expires_after: { anchor: 'last_active_at', days: 7 },
    });
    expect(await filesIn(storeId)).toEqual([[recipeId, 'completed']]);
    expect((await client.vectorStores.list()).data).toEqual(listed);

    await threads.runs.createAndPoll(thread.id, { assistant_id: 'asst_test' }, poll);
    const first = await replyIn(thread.id);
    expect(first.cited).toEqual(new Set([recipeId]));
    // It is searched, not read.
    expect(first.value).not.toContain('attached');
    const kept = await threads.messages.list(thread.id, { order: 'asc' });
    expect(kept.data[0]?.attachments).toEqual(message.attachments);

    await threads.messages.create(
      thread.id,
      attaching('And which fuse does the bilge pump take?', pumpId, recipeId),
    );
    expect(await filesIn(storeId)).toEqual([
      [recipeId, 'completed'],
      [pumpId, 'completed'],
    ]);
    const { id } = await threads.runs.createAndPoll(thread.id, { assistant_id: 'asst_test' }, poll);
    expect((await replyIn(thread.id)).cited).toEqual(new Set([pumpId]));
    expect(await searchedBy(id)).toEqual([[expect.stringMatching(/^vs_/), 'vs_demo']]);
    expect(storesOf(await threads.retrieve(thread.id))).toEqual([storeId]);
    expect(await client.vectorStores.delete(storeId ?? '')).toMatchObject({ deleted: true });
    expect(await failureOf(client.vectorStores.delete(storeId ?? ''))).toMatchObject({ status: 404 });
  });

  test('joins the vector store that its thread names', async () => {
    const { threads } = client.beta;
    const own = await createStore(client);
    const { id } = await threads.create({
      messages: [attaching('Hello', recipeId)],
      tool_resources: naming(own),
    });
    await threads.runs.createAndPoll(
      id,
      {
        assistant_id: 'asst_test',
        additional_messages: [attaching('Which fuse does the bilge pump take?', pumpId)],
      },
      poll,
    );
    expect((await replyIn(id)).cited).toEqual(new Set([pumpId]));
    expect(await filesIn(own.id)).toEqual([
      [recipeId, 'completed'],
      [pumpId, 'completed'],
    ]);
    expect(storesOf(await threads.retrieve(id))).toEqual([own.id]);
  });

  test('is read where it cannot be searched', async () => {
    const { threads } = client.beta;
    const before = await engineStores();
    const table = await upload('table.csv', 'a,b\n1,2\n');
    await t.engine.indexError('invalid_file');
    const { id } = await threads.create({ messages: [attaching('What is in them?', table, pumpId)] });
    expect(storesOf(await threads.retrieve(id))).toBeUndefined();
    await threads.runs.createAndPoll(id, { assistant_id: 'asst_test' }, poll);
    const { value } = await replyIn(id);
    for (const name of ['table.csv', 'pump.md']) expect(value).toContain(name);
    await until('the vector store is gone', async () => isDeepStrictEqual(await engineStores(), before));
  });

  test('is in none if its message is refused', async () => {
    const { threads } = client.beta;
    const before = await engineStores();
    const { id } = await threads.create();
    const limited = { kind: 'status', status: 429 };
    await t.engine.fault({ method: 'POST', path: '/v1/conversations' }, limited, 2);
    const message = attaching('Rhubarb?', recipeId);
    expect((await failureOf(threads.messages.create(id, message))).status).toBe(429);
    expect((await failureOf(threads.create({ messages: [message] }))).status).toBe(429);
    expect(storesOf(await threads.retrieve(id))).toBeUndefined();
    expect(await engineStores()).toEqual(before);
    const own = await createStore(client);
    await threads.update(id, { tool_resources: naming(own) });
    await t.engine.fault({ method: 'POST', path: '/v1/conversations' }, limited);
    expect((await failureOf(threads.messages.create(id, message))).status).toBe(429);
    expect(await filesIn(own.id)).toEqual([]);
  });

  test('is in one vector store if the request is repeated', async () => {
    const { threads } = client.beta;
    const before = await engineStores();
    const body = { assistant_id, thread: { messages: [attaching('Rhubarb?', recipeId)] } };
    const first = await threads.createAndRun(body);
    const headers = { 'X-Stainless-Retry-Count': '1' };
    const repeated = await threads.createAndRun(body, { headers });
    expect(repeated.thread_id).toBe(first.thread_id);
    const [storeId] = storesOf(await threads.retrieve(first.thread_id)) ?? [];
    expect(await filesIn(storeId)).toEqual([[recipeId, 'completed']]);
    await until('the other one is gone', async () => (await engineStores()).length === before.length + 1);
  });

  test('is in one vector store if two messages attach files at once', async () => {
    const { threads } = client.beta;
    const before = await engineStores();
    const { id } = await threads.create();
    await Promise.all(
      [recipeId, pumpId].map((file) => threads.messages.create(id, attaching('Hello', file))),
    );
    const [storeId] = storesOf(await threads.retrieve(id)) ?? [];
    expect(new Set((await filesIn(storeId)).map(([file]) => file))).toEqual(new Set([recipeId, pumpId]));
    await until('the other one is gone', async () => (await engineStores()).length === before.length + 1);
  });
});

describe('a vector store that was deleted meanwhile', () => {
  let lost: Store;
  let gone: { status: number; param: string; message: unknown };
  beforeEach(async () => {
    lost = await createStore(client);
    gone = {
      status: 400,
      param: 'tool_resources.file_search.vector_store_ids',
      message: expect.stringContaining(`${lost.id}, which was deleted or has expired`),
    };
  });

  test('refuses runs of the thread that names it, until that names another', async () => {
    const { threads } = client.beta;
    const { id } = await threads.create({ messages: asking('Rhubarb?'), tool_resources: naming(lost) });
    await lost.delete();
    expect(await failureOf(threads.runs.create(id, { assistant_id }))).toMatchObject(gone);
    const { status, body } = await t.createRun(`projects/${projectId}/threads/${id}`);
    expect([status, JSON.stringify(body.errors)]).toEqual([400, expect.stringContaining(lost.id)]);
    await threads.update(id, { tool_resources: naming(recipes) });
    expect((await threads.runs.createAndPoll(id, { assistant_id }, poll)).status).toBe('completed');
  });

  test('refuses runs of the assistant that names it, until that names none', async () => {
    const { assistants, threads } = editor.beta;
    const { id } = await assistants.create({
      model: 'gpt-5-nano',
      tools: [{ type: 'file_search' }],
      tool_resources: naming(lost),
    });
    await lost.delete();
    const { id: threadId } = await threads.create({ messages: asking('Rhubarb?') });
    expect(await failureOf(threads.runs.create(threadId, { assistant_id: id }))).toMatchObject(gone);
    await assistants.update(id, { tool_resources: { file_search: { vector_store_ids: [] } } });
    expect((await threads.runs.createAndPoll(threadId, { assistant_id: id }, poll)).status).toBe('completed');
  });

  test('fails a run that waited, and its thread goes on', async () => {
    const { run, outputs } = await startWaiting({ tool_resources: naming(lost) });
    await lost.delete();
    const ended = await client.beta.threads.runs.submitToolOutputs(run.id, outputs);
    expect(ended).toMatchObject({
      status: 'failed',
      last_error: { code: 'server_error', message: expect.stringContaining('vector_store_not_found') },
    });
    const { status, body } = await t.call(`projects/${projectId}/threads/${run.thread_id}/runs/${run.id}`);
    expect([status, body.errorCode]).toEqual([200, 'vector_store_not_found']);
    await client.beta.threads.update(run.thread_id, { tool_resources: naming(recipes) });
    const next = await client.beta.threads.runs.createAndPoll(run.thread_id, { assistant_id }, poll);
    expect(next.status).toBe('completed');
  });
});

test('a vector store of another project is as unknown as one of nobody, or one that was deleted', async () => {
  const { projectId: other } = await t.addProject({ members: ['eve'], editors: ['eve'] });
  const stranger = await openClient(t, { projectId: other, claims: { sub: 'eve' } });
  const deleted = await createStore(stranger);
  await deleted.delete();
  const { assistants, threads } = stranger.beta;
  const { id: threadId } = await threads.create();
  const { id: assistantId } = await assistants.create({ model: 'gpt-5-nano' });
  for (const id of [recipes.id, recipes.engineStoreId, deleted.id, 'vs_demo', 'vs_', 'x/../y']) {
    await t.engine.reset();
    const tool_resources = { file_search: { vector_store_ids: [id] } };
    const errors = await Promise.all(
      [
        assistants.create({ model: 'gpt-5-nano', tool_resources }),
        assistants.update(assistantId, { tool_resources }),
        threads.create({ tool_resources }),
        threads.update(threadId, { tool_resources }),
        threads.createAndRun({ assistant_id: assistantId, tool_resources }),
        threads.createAndRun({ assistant_id: assistantId, thread: { tool_resources } }),
      ].map(failureOf),
    );
    expect(errors.map(({ status, error }) => [status, error])).toEqual(
      errors.map((_, index) => [
        404,
        {
          message: `No vector store found with id '${id}'.`,
          type: 'invalid_request_error',
          param: `${index === 5 ? 'thread.' : ''}tool_resources.file_search.vector_store_ids`,
          code: null,
        },
      ]),
    );
    // Only an id of the project is asked for.
    expect(new Set(await t.engine.calls()).size).toBe(id === deleted.id ? 1 : 0);
  }
  expect((await threads.retrieve(threadId)).tool_resources).toEqual({});
});
