import { beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import OpenAIv4, { toFile as toFileV4 } from 'openai-v4';
import {
  type Client,
  checkedFetch,
  clientClasses,
  failureOf,
  failuresOf,
  openClient,
} from '../support/assistantsApi.ts';
import { rowsOf } from '../support/table.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* Vector stores of a project, by the Assistants API. */

const t = useService();
const poll = { pollIntervalMs: 20 };
let client: Client;
/** The engine itself, past the service. */
let engine: OpenAI;
beforeAll(async () => {
  client = await openClient(t);
  engine = new OpenAI({ baseURL: t.engine.url, apiKey: 'test', maxRetries: 0 });
});

const recipe = (dish: string) => `# ${dish}\n\n${dish} needs eggs, cheese and pepper.`;

const upload = async (name = 'pasta.md', content = recipe('Carbonara'), { files } = client) =>
  (await files.create({ file: await toFile(Buffer.from(content), name), purpose: 'assistants' })).id;

const storeWith = async (...file_ids: string[]) => (await client.vectorStores.create({ file_ids })).id;

/** Creates a project of its own, with its client. */
async function openProject() {
  const { projectId } = await t.addProject();
  return { projectId, stores: (await openClient(t, { projectId })).vectorStores };
}

const engineStores = async () => (await engine.vectorStores.list({ limit: 100 })).data.map(({ id }) => id);

describe('a vector store', () => {
  test.each(Object.entries(clientClasses))(
    'is created, read, changed and deleted with %s',
    async (_, open) => {
      const { vectorStores } = await open(t);
      const before = Math.floor(Date.now() / 1000);
      const store = await vectorStores.create({
        ...{ name: 'Recipes', description: 'Of pasta', metadata: { team: 'kitchen' } },
        expires_after: { anchor: 'last_active_at', days: 7 },
      });
      expect(store).toEqual({
        id: expect.stringMatching(/^vs_[\w-]{40,}$/),
        object: 'vector_store',
        created_at: expect.any(Number),
        last_active_at: expect.any(Number),
        expires_after: { anchor: 'last_active_at', days: 7 },
        expires_at: store.created_at + 7 * 86_400,
        name: 'Recipes',
        status: 'completed',
        usage_bytes: 0,
        file_counts: { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 },
        metadata: { team: 'kitchen' },
      });
      expect(store.created_at).toBeGreaterThanOrEqual(before);
      expect(await vectorStores.retrieve(store.id)).toEqual(store);
      const { data } = await vectorStores.list();
      expect(data).toEqual([store]);
      const changes = { name: 'Pasta', metadata: { team: 'bar' }, expires_after: null };
      const { expires_after: _expiry, ...rest } = store;
      const changed = { ...rest, name: 'Pasta', metadata: { team: 'bar' }, expires_at: null };
      expect(await vectorStores.update(store.id, changes)).toEqual(changed);
      expect(await vectorStores.update(store.id, {})).toEqual(changed);
      expect(await vectorStores.delete(store.id)).toEqual({
        id: store.id,
        object: 'vector_store.deleted',
        deleted: true,
      });
      const missing = [vectorStores.retrieve(store.id), vectorStores.delete(store.id)];
      for (const error of await failuresOf(missing)) {
        expect(error).toMatchObject({ status: 404, type: 'invalid_request_error' });
        expect(error.message).toContain(`No vector store found with id '${store.id}'.`);
      }
      expect((await vectorStores.list()).data).toEqual([]);
    },
  );

  test('is used by version 4 of the package', async () => {
    const v4 = new OpenAIv4({ baseURL: client.baseURL, apiKey: client.apiKey ?? '', maxRetries: 0 });
    const stores = v4.vectorStores;
    const store = await stores.create({ name: 'Recipes' });
    const file = await stores.files.uploadAndPoll(
      store.id,
      await toFileV4(Buffer.from(recipe('Carbonara')), 'pasta.md'),
      poll,
    );
    expect(file).toMatchObject({ status: 'completed', vector_store_id: store.id });
    const found = [];
    for await (const result of stores.search(store.id, { query: 'Carbonara' })) found.push(result.filename);
    expect(found).toEqual(['pasta.md']);
    expect((await stores.del(store.id)).deleted).toBe(true);
    await v4.files.del(file.id);
  });

  test('has no text in the tables, and no id of the engine leaves', async () => {
    const { projectId, stores } = await openProject();
    const { id } = await stores.create({ name: 'canary name', metadata: { canary: 'canary' } });
    const [engineId = ''] = (await engineStores()).filter((one) => one !== 'vs_demo');
    const rows = JSON.stringify(await rowsOf(projectId));
    expect(rows).toContain(id);
    expect(rows).not.toMatch(/canary/);
    expect(JSON.stringify(await stores.retrieve(id))).not.toContain(engineId);
    expect(t.log()).not.toContain('canary');
    // Its metadata are the client's own.
    expect((await engine.vectorStores.retrieve(engineId)).metadata).toEqual({ canary: 'canary' });
  });

  test('of the documents, of the operator or of another project is not there', async () => {
    const { projectId, stores } = await openProject();
    const other = await storeWith();
    const engineIds = await engineStores();
    for (const id of [other, ...engineIds, 'vs_demo', 'vs_x', 'x', `${other}x`, "vs_' or 1 eq 1"]) {
      for (const call of [
        () => stores.retrieve(id),
        () => stores.update(id, {}),
        () => stores.delete(id),
        () => stores.search(id, { query: 'x' }),
        () => stores.files.list(id),
        () => stores.fileBatches.create(id, { file_ids: ['x'] }),
      ]) {
        expect(await failureOf(Promise.resolve(call()))).toMatchObject({ status: 404 });
      }
    }
    expect((await stores.list()).data).toEqual([]);
    // A batch of one's own, in a vector store of one's own that it is not of.
    const own = (await openClient(t, { projectId })) as Client;
    const file = await upload('a.md', recipe('A'), own);
    const [first, second] = [await stores.create({}), await stores.create({})];
    const batch = await stores.fileBatches.create(first.id, { file_ids: [file] });
    const missing = await failureOf(stores.fileBatches.retrieve(batch.id, { vector_store_id: second.id }));
    expect(missing).toMatchObject({ status: 404 });
    expect(missing.message).toContain(`No file batch found with id '${batch.id}'.`);
    await client.vectorStores.delete(other);
  });
});

describe('a create of a vector store', () => {
  test('that the package repeats gets the first one, unless there have been equal ones', async () => {
    const { projectId } = await t.addProject();
    let toLose = 0;
    const retrying = new OpenAI({
      baseURL: `${t.url}/api/projects/${projectId}/openai/v1`,
      apiKey: await t.issuer.sign({ projects: [projectId] }),
      maxRetries: 2,
      fetch: async (input, init) => {
        const response = await checkedFetch(input, init);
        if (init?.method?.toUpperCase() !== 'POST' || toLose-- <= 0) return response;
        throw new TypeError('fetch failed');
      },
    });
    const { vectorStores } = retrying;
    toLose = 2;
    const store = await vectorStores.create({ name: 'One' });
    const list = async () => (await vectorStores.list()).data.map(({ id }) => id);
    expect(await list()).toEqual([store.id]);
    const headers = { 'X-Stainless-Retry-Count': '1' };
    expect((await vectorStores.create({ name: 'Two' }, { headers })).id).not.toBe(store.id);
    const equal = await vectorStores.create({ name: 'One' });
    // Whose repetition this is, nobody can know.
    const repeated = await vectorStores.create({ name: 'One' }, { headers });
    expect(new Set([store.id, equal.id, repeated.id]).size).toBe(3);
  });

  test('leaves nothing if it cannot be recorded', async () => {
    const { stores } = await openProject();
    await stores.create({});
    const before = await engineStores();
    t.store.inject('transaction', 'fail', 3);
    expect((await failureOf(stores.create({}))).status).toBe(503);
    await until('it is undone', async () => (await engineStores()).length === before.length);
    expect((await stores.list()).data).toHaveLength(1);
  });

  test.each([
    ['refuses', { kind: 'status', status: 500 }],
    ['does not answer about', { kind: 'drop_after' }],
  ])('that the engine %s says so, and is not in the list', async (_, fault) => {
    const { stores } = await openProject();
    await t.engine.fault({ method: 'POST', path: '/v1/vector_stores', exact: true }, fault);
    expect((await failureOf(stores.create({}))).status).toBe(503);
    expect((await stores.list()).data).toEqual([]);
  });
});

test('a deletion is completed by another call', async () => {
  const { stores } = await openProject();
  const { id } = await stores.create({});
  t.store.inject('transaction', 'fail', 3);
  expect((await failureOf(stores.delete(id))).status).toBe(503);
  expect((await failureOf(stores.retrieve(id))).status).toBe(404);
  expect((await stores.delete(id)).deleted).toBe(true);
  await t.engine.fault({ method: 'DELETE', path: '/v1/vector_stores' }, { kind: 'status', status: 500 });
  const other = await stores.create({});
  expect((await failureOf(stores.delete(other.id))).status).toBe(503);
  expect((await stores.list()).data.map((store) => store.id)).toEqual([other.id]);
  await stores.delete(other.id);
});

describe('the list of vector stores', () => {
  test('pages in both directions, at constant cost, past those that the engine has lost', async () => {
    const { stores } = await openProject();
    const ids: string[] = [];
    for (const name of ['1', '2', '3', '4', '5']) ids.push((await stores.create({ name })).id);
    const read = async (query: OpenAI.VectorStoreListParams) => {
      const names: string[] = [];
      for await (const { name } of stores.list({ limit: 2, ...query })) names.push(name);
      return names.join('');
    };
    expect(await read({})).toBe('54321');
    expect(await read({ order: 'asc' })).toBe('12345');
    const [, second, , fourth] = ids;
    const before = await stores.list({ limit: 2, order: 'asc', before: fourth ?? '' });
    expect(before.data.map(({ name }) => name)).toEqual(['2', '3']);
    expect(before).toMatchObject({ has_more: true });
    expect((await stores.list({ before: second ?? '' })).data.map(({ name }) => name)).toEqual([
      ...['5', '4', '3'],
    ]);
    await t.engine.reset();
    t.store.reset();
    await stores.list({ limit: 2 });
    expect(await t.engine.calls()).toHaveLength(2);
    expect(t.store.rowsRead()).toBeLessThanOrEqual(6);
    const engineIds = (await engine.vectorStores.list({ limit: 100 })).data;
    for (const { id, name } of engineIds.filter(({ name: one }) => one === '4' || one === '5')) {
      expect(name).not.toBe('');
      await engine.vectorStores.delete(id);
    }
    expect(await read({ limit: 1 })).toBe('321');
    for await (const { id } of stores.list({ limit: 1 })) await stores.delete(id);
    expect((await stores.list()).data).toEqual([]);
  });

  test.each([
    ['a cursor that is none', { after: 'vs_x' }, 'after'],
    ['a cursor before that is none', { before: 'vs_x' }, 'before'],
    ['both cursors', { after: 'vs_x', before: 'vs_x' }, 'before'],
    ['a limit that is none', { limit: 101 }, 'limit'],
    ['an order that is none', { order: 'up' }, 'order'],
  ])('refuses %s by name', async (_, query, param) => {
    const listing = Promise.resolve(client.vectorStores.list(query as { after: string }));
    expect(await failureOf(listing)).toMatchObject({ status: 400, param });
  });
});

describe('files of a vector store', () => {
  test('are added, found, changed, read and removed', async () => {
    const file_id = await upload();
    const store = await storeWith();
    const path = { vector_store_id: store };
    const { files } = client.vectorStores;
    await t.engine.timing({ indexMs: 1_500 });
    const added = await files.create(store, {
      file_id,
      attributes: { year: 2024, draft: true, kind: 'pasta' },
      chunking_strategy: {
        type: 'static',
        static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 100 },
      },
    });
    expect(added).toEqual({
      id: file_id,
      object: 'vector_store.file',
      created_at: expect.any(Number),
      vector_store_id: store,
      status: 'in_progress',
      usage_bytes: 0,
      last_error: null,
      attributes: { year: 2024, draft: true, kind: 'pasta' },
      chunking_strategy: {
        type: 'static',
        static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 100 },
      },
    });
    expect((await client.vectorStores.retrieve(store)).status).toBe('in_progress');
    const polled = await files.poll(store, file_id, poll);
    expect(polled).toMatchObject({ status: 'completed', usage_bytes: recipe('Carbonara').length });
    expect(await files.retrieve(file_id, path)).toEqual(polled);
    expect((await files.list(store)).data).toEqual([polled]);
    const parts = [];
    for await (const part of files.content(file_id, path)) parts.push(part);
    expect(parts).toEqual([{ type: 'text', text: recipe('Carbonara') }]);
    const changed = await files.update(file_id, { ...path, attributes: { kind: 'soup' } });
    expect(changed).toEqual({ ...polled, attributes: { kind: 'soup' } });
    expect((await client.vectorStores.search(store, { query: 'Carbonara' })).data).toEqual([
      {
        file_id,
        filename: 'pasta.md',
        score: 1,
        attributes: { kind: 'soup' },
        content: [{ type: 'text', text: 'Carbonara needs eggs, cheese and pepper.' }],
      },
    ]);
    expect(await files.delete(file_id, path)).toEqual({
      id: file_id,
      object: 'vector_store.file.deleted',
      deleted: true,
    });
    const error = await failureOf(files.retrieve(file_id, path));
    expect(error).toMatchObject({ status: 404 });
    expect(error.message).toContain(`No file found with id '${file_id}' in vector store '${store}'.`);
    expect((await client.files.retrieve(file_id)).filename).toBe('pasta.md');
    await client.files.delete(file_id);
  });

  test('are listed in both directions and by status', async () => {
    const ids: string[] = [];
    for (const name of ['1.md', '2.md', '3.md']) ids.push(await upload(name));
    const store = await storeWith();
    for (const file_id of ids) {
      if (file_id === ids[1]) await t.engine.indexError('invalid_file');
      await client.vectorStores.files.createAndPoll(store, { file_id }, poll);
    }
    const { files } = client.vectorStores;
    const read = async (query: OpenAI.VectorStores.FileListParams) => {
      const found: number[] = [];
      for await (const { id } of files.list(store, { limit: 1, ...query })) found.push(ids.indexOf(id) + 1);
      return found;
    };
    expect(await read({})).toEqual([3, 2, 1]);
    expect(await read({ order: 'asc' })).toEqual([1, 2, 3]);
    expect(await read({ filter: 'completed' })).toEqual([3, 1]);
    const before = await files.list(store, { before: ids[0] ?? '', limit: 1 });
    expect(before.data.map(({ id }) => ids.indexOf(id) + 1)).toEqual([2]);
    expect((await files.list(store, { filter: 'failed' })).data).toMatchObject([
      { status: 'failed', last_error: { code: 'invalid_file', message: 'The file could not be read.' } },
    ]);
    const elsewhere = await upload('4.md');
    for (const [query, param] of [
      [{ before: elsewhere }, 'before'],
      [{ after: 'file_x' }, 'after'],
      [{ filter: 'lost' }, 'filter'],
    ] as const) {
      const listing = Promise.resolve(files.list(store, query as { after: string }));
      expect(await failureOf(listing)).toMatchObject({ status: 400, param });
    }
    for await (const { id } of files.list(store, { limit: 1 })) {
      await files.delete(id, { vector_store_id: store });
    }
    expect((await files.list(store)).data).toEqual([]);
  });

  test('are uploaded and added by the helpers of the package', async () => {
    const store = await storeWith();
    const { files, fileBatches } = client.vectorStores;
    const file = (name: string) => toFile(Buffer.from(recipe(name)), `${name}.md`);
    const one = await files.uploadAndPoll(store, await file('one'), poll);
    const two = await files.upload(store, await file('two'));
    expect([one.status, two.vector_store_id]).toEqual(['completed', store]);
    const added = { files: [await file('three')], fileIds: [await upload('four.md')] };
    const batch = await fileBatches.uploadAndPoll(store, added, poll);
    expect(batch).toMatchObject({
      id: expect.stringMatching(/^vsfb_[\w-]{40,}$/),
      object: 'vector_store.files_batch',
      status: 'completed',
      vector_store_id: store,
      file_counts: { completed: 2, total: 2 },
    });
    expect((await client.vectorStores.retrieve(store)).file_counts.total).toBe(4);
  });

  test('are added in a batch, each with its own attributes, and the batch is cancelled', async () => {
    const store = await storeWith();
    const ids = [await upload('1.md'), await upload('2.md')];
    const { fileBatches } = client.vectorStores;
    await t.engine.timing({ indexMs: 60_000 });
    const { id } = await fileBatches.create(store, {
      files: ids.map((file_id, index) => ({ file_id, attributes: { index } })),
    });
    const path = { vector_store_id: store };
    expect((await fileBatches.retrieve(id, path)).status).toBe('in_progress');
    const listed = [];
    for await (const file of fileBatches.listFiles(id, { ...path, order: 'asc', limit: 1 })) {
      listed.push([file.id, file.status, file.attributes]);
    }
    expect(listed).toEqual(ids.map((file_id, index) => [file_id, 'in_progress', { index }]));
    expect(await fileBatches.cancel(id, path)).toMatchObject({
      status: 'cancelled',
      file_counts: { cancelled: 2, total: 2 },
    });
    expect((await fileBatches.listFiles(id, { ...path, filter: 'completed' })).data).toEqual([]);
  });

  test.each([true, false])(
    'may be deleted, and the vector store goes on (stale entries: %s)',
    async (keepDeletedFiles) => {
      await t.engine.behaviour({ keepDeletedFiles });
      const [gone, kept] = [await upload('gone.md'), await upload('kept.md')];
      const store = await storeWith(gone, kept);
      await client.files.delete(gone);
      const { files } = client.vectorStores;
      const listed = (await files.list(store)).data.map(({ id }) => id);
      expect(listed).toEqual(keepDeletedFiles ? [kept, gone] : [kept]);
      expect((await client.vectorStores.retrieve(store)).status).toBe('completed');
      const found = (await client.vectorStores.search(store, { query: 'Carbonara' })).data;
      expect(found.map(({ file_id }) => file_id)).toEqual([kept]);
      const path = { vector_store_id: store };
      expect((await failureOf(Promise.resolve(files.content(gone, path)))).status).toBe(404);
      // A stale entry can be removed.
      if (keepDeletedFiles) expect((await files.delete(gone, path)).deleted).toBe(true);
      expect((await failureOf(files.delete(gone, path))).status).toBe(404);
      expect(await failureOf(files.create(store, { file_id: gone }))).toMatchObject({
        status: 404,
        param: 'file_id',
      });
    },
  );

  test('that only the engine has lost are not added', async () => {
    const file_id = await upload('lost.md');
    const held = (await t.engine.files()).find(({ filename }) => filename === 'lost.md');
    await engine.files.delete(held?.id ?? '');
    const store = await storeWith();
    const error = await failureOf(client.vectorStores.files.create(store, { file_id }));
    expect(error).toMatchObject({ status: 404, param: 'file_id' });
    expect(error.message).toContain(`No such File object: ${file_id}`);
    const errors = await failuresOf([
      client.vectorStores.create({ file_ids: [file_id] }),
      client.vectorStores.fileBatches.create(store, { file_ids: [file_id] }),
    ]);
    for (const { status } of errors) expect(status).toBe(404);
  });

  test('of a type that cannot be searched are refused by name, without the engine’s words', async () => {
    const file_id = await upload('table.csv', 'a,b\n1,2');
    const store = await storeWith();
    for (const [call, param] of [
      [() => client.vectorStores.files.create(store, { file_id }), 'file_id'],
      [() => client.vectorStores.fileBatches.create(store, { file_ids: [file_id] }), 'file_ids'],
      [() => client.vectorStores.fileBatches.create(store, { files: [{ file_id }] }), 'files'],
      [() => client.vectorStores.create({ file_ids: [file_id] }), 'file_ids'],
    ] as const) {
      const error = await failureOf(call());
      expect(error).toMatchObject({ status: 400, param });
      expect(error.message).toContain('files of this type cannot be searched');
      expect(error.message).not.toContain('csv');
    }
    await client.files.delete(file_id);
  });
});

describe('a search', () => {
  test('is filtered, limited and ranked', async () => {
    const store = await storeWith();
    const found = async (body: Omit<OpenAI.VectorStoreSearchParams, 'query'>, query = 'Carbonara eggs') =>
      (await client.vectorStores.search(store, { query, ...body })).data.map(({ filename }) => filename);
    for (const year of [2022, 2023, 2024]) {
      const file_id = await upload(`${year}.md`);
      await client.vectorStores.files.create(store, { file_id, attributes: { year } });
    }
    expect((await found({})).toSorted()).toEqual(['2022.md', '2023.md', '2024.md']);
    expect(await found({ filters: { type: 'gt', key: 'year', value: 2023 } })).toEqual(['2024.md']);
    const filters = {
      type: 'or' as const,
      filters: [
        { type: 'eq' as const, key: 'year', value: 2022 },
        { type: 'in' as const, key: 'year', value: [2024] },
      ],
    };
    expect((await found({ filters })).toSorted()).toEqual(['2022.md', '2024.md']);
    expect(await found({ max_num_results: 1 })).toHaveLength(1);
    expect(await found({ ranking_options: { ranker: 'auto', score_threshold: 0.1 } })).toHaveLength(3);
    const response = await client.vectorStores
      .search(store, { query: ['EGGS', 'Carbonara'], rewrite_query: true })
      .asResponse();
    expect(await response.json()).toMatchObject({ search_query: ['eggs', 'carbonara'] });
  });

  test.each([
    ['no query', { query: undefined }, 'query'],
    ['an empty query', { query: '' }, 'query'],
    ['too many results', { max_num_results: 51 }, 'max_num_results'],
    ['an unknown ranker', { ranking_options: { ranker: 'best' } }, 'ranking_options.ranker'],
    ['an unknown filter', { filters: { type: 'like', key: 'a', value: 'b' } }, 'filters.type'],
    [
      'a filter within a filter',
      { filters: { type: 'or', filters: [{ type: 'eq', key: 'a' }] } },
      'filters.filters[0].value',
    ],
  ])('refuses %s by name', async (_, body, param) => {
    const store = await storeWith();
    const sent = { query: 'x', ...body } as OpenAI.VectorStoreSearchParams;
    const failure = await failureOf(Promise.resolve(client.vectorStores.search(store, sent)));
    expect(failure).toMatchObject({ status: 400, param });
    expect((await t.engine.calls()).some((call) => call.endsWith('/search'))).toBe(false);
  });
});

test('a search with filters nested without end is refused', async () => {
  const filters = `${'{"type":"or","filters":['.repeat(1_000)}{}${']}'.repeat(1_000)}`;
  const response = await checkedFetch(`${client.baseURL}/vector_stores/${await storeWith()}/search`, {
    method: 'POST',
    body: `{"query":"x","filters":${filters}}`,
    headers: { Authorization: `Bearer ${client.apiKey}`, 'Content-Type': 'application/json' },
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: 'filters' } });
});

describe('a request is refused by name', () => {
  const sizes = (max_chunk_size_tokens: number, chunk_overlap_tokens: number) => ({
    chunking_strategy: { type: 'static', static: { max_chunk_size_tokens, chunk_overlap_tokens } },
  });
  test.each([
    ['', { expires_after: { anchor: 'created_at', days: 1 } }, 'expires_after.anchor'],
    ['', { expires_after: { anchor: 'last_active_at', days: 366 } }, 'expires_after.days'],
    ['', { file_ids: Array.from({ length: 501 }, () => 'x') }, 'file_ids'],
    ['', sizes(99, 10), 'chunking_strategy.static.max_chunk_size_tokens'],
    ['', sizes(200, 101), 'chunking_strategy.static.chunk_overlap_tokens'],
    ['', { chunking_strategy: { type: 'magic' } }, 'chunking_strategy.type'],
    ['', { metadata: { a: 1 } }, 'metadata'],
    ['/files', {}, 'file_id'],
    ['/files', { file_id: 'x', attributes: { a: null } }, 'attributes'],
    ['/files', { file_id: 'x', attributes: { a: 'x'.repeat(513) } }, 'attributes'],
    ['/file_batches', {}, 'file_ids'],
    ['/file_batches', { file_ids: [] }, 'file_ids'],
    ['/file_batches', { file_ids: ['x'], files: [{ file_id: 'x' }] }, 'file_ids'],
    ['/file_batches', { files: [{ file_id: 'x' }], attributes: { a: 1 } }, 'attributes'],
    ['/file_batches', { files: [{ file_id: 'x', colour: 'red' }] }, 'files[0].colour'],
  ])('%s %j: %s', async (path, body, param) => {
    const store = path === '' ? '' : `/${await storeWith()}`;
    const sending = client.post(`/vector_stores${store}${path}`, { body });
    expect(await failureOf(sending)).toMatchObject({ status: 400, param });
  });
});
