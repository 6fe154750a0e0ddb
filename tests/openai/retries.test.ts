import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import { checkedFetch, failureOf } from '../support/assistantsApi.ts';
import { rowsOf, threadsTable } from '../support/table.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let projectId = '';
beforeAll(async () => {
  ({ projectId } = await t.addProject({ editors: ['editor'] }));
});
const assistant_id = 'asst_test';

/** A client that repeats what failed, as by default, and whose first responses to changes are lost on request. */
async function openRetrying(claims: Record<string, unknown> = {}) {
  let toLose = 0;
  const counts: (string | null)[] = [];
  const client = new OpenAI({
    baseURL: `${t.url}/api/projects/${projectId}/openai/v1`,
    apiKey: await t.issuer.sign({ projects: [projectId], ...claims }),
    maxRetries: 2,
    fetch: async (input, init) => {
      const response = await checkedFetch(input, init);
      if (!init || init.method?.toUpperCase() === 'GET') return response;
      counts.push(new Headers(init.headers).get('X-Stainless-Retry-Count'));
      if (toLose-- <= 0) return response;
      await response.body?.cancel();
      throw new TypeError('fetch failed');
    },
  });
  const lose = (responses: number) => {
    toLose = responses;
    counts.length = 0;
  };
  return { client, lose, counts };
}

const startsOf = async (threadId: string) =>
  (await t.engine.runs()).filter(({ metadata }) => metadata['threadId'] === threadId);

describe('when the package repeats a request on its own', () => {
  test('a run is started once, and its repetition gets it', async () => {
    const { client, lose, counts } = await openRetrying();
    const { id } = await client.beta.threads.create();
    await client.beta.threads.messages.create(id, { role: 'user', content: 'Hello' });
    lose(2);
    const run = await client.beta.threads.runs.create(id, { assistant_id });
    expect(counts).toEqual(['0', '1', '2']);
    expect((await startsOf(id)).map(({ metadata }) => metadata['runId'])).toEqual([run.id]);
  });

  test('a streamed run is started once', async () => {
    const { client, lose } = await openRetrying();
    const { id } = await client.beta.threads.create();
    lose(1);
    const stream = client.beta.threads.runs.stream(id, {
      assistant_id,
      additional_messages: [{ role: 'user', content: 'Hello' }],
    });
    const run = await stream.finalRun();
    expect(run.status).toBe('completed');
    expect(await startsOf(id)).toHaveLength(1);
  });

  test('a thread and its run are created once', async () => {
    const { client, lose, counts } = await openRetrying();
    const params = { assistant_id, thread: { messages: [{ role: 'user' as const, content: 'Hello' }] } };
    lose(2);
    const run = await client.beta.threads.createAndRun(params);
    expect(counts).toEqual(['0', '1', '2']);
    expect((await startsOf(run.thread_id)).map(({ metadata }) => metadata['runId'])).toEqual([run.id]);
    const { body } = await t.call(`projects/${projectId}/threads`);
    const [newest, ...earlier] = body.threads.map(({ threadId }: { threadId: string }) => threadId);
    expect(newest).toBe(run.thread_id);
    const again = await client.beta.threads.createAndRun(params);
    expect([run.thread_id, ...earlier]).not.toContain(again.thread_id);
  });

  test('equal requests at the same time create a thread each', async () => {
    const { client } = await openRetrying();
    const params = { assistant_id, thread: { messages: [{ role: 'user' as const, content: 'Hi' }] } };
    const runs = await Promise.all(
      Array.from({ length: 12 }, () => client.beta.threads.createAndRun(params, { maxRetries: 0 })),
    );
    expect(new Set(runs.map(({ thread_id }) => thread_id)).size).toBe(12);
  });

  test('a repetition of one of several equal requests gets a thread of its own', async () => {
    const { client } = await openRetrying();
    const params = { assistant_id, thread: { messages: [{ role: 'user' as const, content: 'Hey' }] } };
    const create = (count: string) =>
      client.beta.threads.createAndRun(params, { headers: { 'X-Stainless-Retry-Count': count } });
    const runs = [await create('0'), await create('0'), await create('1')];
    expect(new Set(runs.map(({ thread_id }) => thread_id)).size).toBe(3);
  });

  test('a run of unknown outcome is not started again', async () => {
    const { client } = await openRetrying();
    const { id } = await client.beta.threads.create();
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses', exact: true },
      { kind: 'status', status: 500 },
    );
    const run = await client.beta.threads.runs.create(id, { assistant_id });
    expect(run).toMatchObject({ status: 'failed', last_error: { code: 'server_error' } });
    expect(await startsOf(id)).toHaveLength(0);
  });

  test('a run that the engine certainly rejected is started', async () => {
    const { client } = await openRetrying();
    const { id } = await client.beta.threads.create();
    const limited = { kind: 'status', status: 429, headers: { 'retry-after': '0' } };
    await t.engine.fault({ method: 'POST', path: '/v1/responses', exact: true }, limited);
    const run = await client.beta.threads.runs.createAndPoll(id, { assistant_id }, { pollIntervalMs: 25 });
    expect(run.status).toBe('completed');
  });

  test.each(['/v1/conversations/*/items', '/v1/responses'])(
    'a thread and its run are created though the engine did not know the new conversation at %s',
    async (path) => {
      const { client } = await openRetrying();
      await t.engine.fault({ method: 'POST', path, exact: true }, { kind: 'status', status: 404 });
      const params = { assistant_id, thread: { messages: [{ role: 'user' as const, content: path }] } };
      const error = await failureOf(client.beta.threads.createAndRun(params, { maxRetries: 0 }));
      expect(error).toBeInstanceOf(OpenAI.InternalServerError);
      const headers = { 'X-Stainless-Retry-Count': '1' };
      expect((await client.beta.threads.createAndRun(params, { headers })).status).toBe('queued');
    },
  );

  test('what it deletes is deleted, and may be gone already', async () => {
    const { client, lose, counts } = await openRetrying({ sub: 'editor' });
    const { threads, assistants } = client.beta;
    const file = await client.files.create({
      file: await toFile(Buffer.from('A'), 'a.txt'),
      purpose: 'assistants',
    });
    const store = await client.vectorStores.create({ file_ids: [file.id] });
    const thread = await threads.create({ messages: [{ role: 'user', content: 'Hello' }] });
    const [message] = (await threads.messages.list(thread.id)).data;
    const assistant = await assistants.create({ model: 'gpt-5-mini' });
    const deletions: [string, () => Promise<unknown>][] = [
      [message?.id ?? '', () => threads.messages.delete(message?.id ?? '', { thread_id: thread.id })],
      [thread.id, () => threads.delete(thread.id)],
      [file.id, () => client.vectorStores.files.delete(file.id, { vector_store_id: store.id })],
      [store.id, () => client.vectorStores.delete(store.id)],
      [file.id, () => client.files.delete(file.id)],
      [assistant.id, () => assistants.delete(assistant.id)],
    ];
    for (const [id, remove] of deletions) {
      lose(1);
      expect(await remove()).toMatchObject({ id, deleted: true });
      expect(counts).toEqual(['0', '1']);
      expect(await failureOf(remove())).toMatchObject({ status: 404 });
    }
  });

  test('a thread whose deletion was interrupted is deleted completely', async () => {
    const { client } = await openRetrying();
    const { id } = await client.beta.threads.create();
    const fails = { kind: 'status', status: 503, headers: { 'retry-after': '0' } };
    await t.engine.fault({ method: 'DELETE', path: '/v1/conversations' }, fails);
    expect(await client.beta.threads.delete(id)).toMatchObject({ id, deleted: true });
    expect(JSON.stringify(await rowsOf(projectId))).not.toContain(id);
  });

  test('a run that it cancels is cancelled', async () => {
    const { client, lose } = await openRetrying();
    await t.engine.outcome({ status: 'never' });
    const run = await client.beta.threads.createAndRun({ assistant_id });
    const cancel = () => client.beta.threads.runs.cancel(run.id, { thread_id: run.thread_id });
    lose(1);
    expect(await cancel()).toMatchObject({ id: run.id, status: 'cancelled' });
    expect((await failureOf(cancel())).message).toBe("400 Cannot cancel run with status 'cancelled'.");
  });

  test('a message is added once', async () => {
    const { client, lose } = await openRetrying();
    const { id } = await client.beta.threads.create();
    lose(1);
    const message = await client.beta.threads.messages.create(id, { role: 'user', content: 'Hello' });
    expect((await client.beta.threads.messages.list(id)).data.map((one) => one.id)).toEqual([message.id]);
  });
});

describe('a repeated message', () => {
  const headers = { 'X-Stainless-Retry-Count': '1' };

  test('is added if the last one has other images', async () => {
    const { client } = await openRetrying();
    const { messages } = client.beta.threads;
    const { id } = await client.beta.threads.create();
    const see = (url: string, detail: 'low' | 'high' = 'low') => ({
      role: 'user' as const,
      content: [
        { type: 'text' as const, text: 'Describe' },
        { type: 'image_url' as const, image_url: { url, detail } },
      ],
    });
    await messages.create(id, see('https://example.com/a.png'));
    const { id: second } = await messages.create(id, see('https://example.com/b.png'), { headers });
    expect((await messages.create(id, see('https://example.com/b.png'), { headers })).id).toBe(second);
    await messages.create(id, see('https://example.com/b.png', 'high'), { headers });
    expect((await messages.list(id)).data).toHaveLength(3);
  });

  test('is added if the last one carries other files', async () => {
    const { client } = await openRetrying();
    const { messages } = client.beta.threads;
    const { id } = await client.beta.threads.create();
    const upload = async (name: string) =>
      (await client.files.create({ file: await toFile(Buffer.from(name), name), purpose: 'assistants' })).id;
    const [a, b] = [await upload('a.txt'), await upload('b.txt')];
    const read = (file_id: string) => ({
      ...{ role: 'user' as const, content: 'Read' },
      attachments: [{ file_id, tools: [{ type: 'file_search' as const }] }],
    });
    await messages.create(id, read(a));
    const { id: second } = await messages.create(id, read(b), { headers });
    expect((await messages.create(id, read(b), { headers })).id).toBe(second);
    expect((await messages.list(id)).data).toHaveLength(2);
  });

  test('is added if the same was said more than a minute ago', async () => {
    const { client } = await openRetrying();
    const { messages } = client.beta.threads;
    const { id } = await client.beta.threads.create();
    const yes = { role: 'user' as const, content: 'Yes' };
    await messages.create(id, yes);
    const row = (await rowsOf(projectId)).find(
      ({ partitionKey, rowKey }) => `${partitionKey}`.endsWith(id) && `${rowKey}`.startsWith('message_'),
    );
    const { partitionKey, rowKey } = row as { partitionKey: string; rowKey: string };
    const earlier = { partitionKey, rowKey, createdAt: new Date(Date.now() - 61_000) };
    await (await threadsTable()).updateEntity(earlier, 'Merge');
    await messages.create(id, yes, { headers });
    expect((await messages.list(id)).data).toHaveLength(2);
  });
});

describe('an equal request that is no repetition', () => {
  test('starts another run', async () => {
    const { client } = await openRetrying();
    const { id } = await client.beta.threads.create();
    const poll = { pollIntervalMs: 25 };
    const first = await client.beta.threads.runs.createAndPoll(id, { assistant_id }, poll);
    const second = await client.beta.threads.runs.createAndPoll(id, { assistant_id }, poll);
    expect(second.id).not.toBe(first.id);
  });

  test('finds a busy thread busy', async () => {
    const { client } = await openRetrying();
    await t.engine.outcome({ status: 'never' });
    const { id } = await client.beta.threads.create();
    const { id: runId } = await client.beta.threads.runs.create(id, { assistant_id });
    const error = await failureOf(client.beta.threads.runs.create(id, { assistant_id }));
    expect(error.message).toBe(`400 Thread ${id} already has an active run ${runId}.`);
  });

  test.each([
    ['another body', {}, { additional_instructions: 'Other' }],
    ['another caller', { sub: 'somebody else' }, {}],
  ])('of %s starts another run though it counts as repeated', async (_name, claims, params) => {
    const { client } = await openRetrying();
    const { client: other } = await openRetrying(claims);
    const { id } = await client.beta.threads.create();
    const first = await client.beta.threads.runs.createAndPoll(id, { assistant_id }, { pollIntervalMs: 25 });
    const headers = { 'X-Stainless-Retry-Count': '1' };
    const second = await other.beta.threads.runs.create(id, { assistant_id, ...params }, { headers });
    expect(second.id).not.toBe(first.id);
  });
});

/** Azure's packages for .NET send the id of a call with all of its attempts, and do not count them. */
describe('a request with the id of its call', () => {
  const send = async (
    path: string,
    body: object,
    { callId = randomUUID() as string, sub = 'somebody' }: { callId?: string; sub?: string } = {},
  ) => {
    const url = `${t.url}/api/projects/${projectId}/openai/${path}?api-version=2025-04-01-preview`;
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...{ Accept: 'application/json', 'Content-Type': 'application/json', 'OpenAI-Beta': 'assistants=v2' },
        Authorization: `Bearer ${await t.issuer.sign({ projects: [projectId], sub })}`,
        'x-ms-client-request-id': callId,
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  const openThread = async () => (await send('threads', {})).body.id as string;

  test('starts a run once, even when it comes again after the run', async () => {
    const id = await openThread();
    const callId = randomUUID();
    const create = () => send(`threads/${id}/runs`, { assistant_id }, { callId });
    const [first, again] = await Promise.all([create(), create()]);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body.id).toBe(first.body.id);
    const { client } = await openRetrying();
    await client.beta.threads.runs.poll(first.body.id, { thread_id: id }, { pollIntervalMs: 25 });
    expect((await create()).body).toMatchObject({ id: first.body.id, status: 'completed' });
    expect(await startsOf(id)).toHaveLength(1);
  });

  test('streams the first run when it comes again', async () => {
    const id = await openThread();
    const callId = randomUUID();
    const create = () => send(`threads/${id}/runs`, { assistant_id, stream: true }, { callId });
    await create();
    const events = (await create()).text.match(/(?<=^event: ).*/gm);
    expect(events).toContain('thread.message.completed');
    expect([events?.at(0), ...(events?.slice(-2) ?? [])]).toEqual([
      ...['thread.run.created', 'thread.run.completed', 'done'],
    ]);
    expect(await startsOf(id)).toHaveLength(1);
  });

  test('creates a thread and its run once, unlike an equal request of another call', async () => {
    const body = { assistant_id, thread: { messages: [{ role: 'user', content: 'Good day' }] } };
    const [callId, otherId] = [randomUUID(), randomUUID()];
    const first = await send('threads/runs', body, { callId });
    const other = await send('threads/runs', body, { callId: otherId });
    expect(other.body.thread_id).not.toBe(first.body.thread_id);
    expect((await send('threads/runs', body, { callId })).body.id).toBe(first.body.id);
    expect((await send('threads/runs', body, { callId: otherId })).body.id).toBe(other.body.id);
  });

  test('creates a vector store once, unlike an equal request of another call', async () => {
    const callId = randomUUID();
    const first = await send('vector_stores', { name: 'Handbook' }, { callId });
    const other = await send('vector_stores', { name: 'Handbook' });
    expect(other.body.id).not.toBe(first.body.id);
    expect((await send('vector_stores', { name: 'Handbook' }, { callId })).body.id).toBe(first.body.id);
  });

  test.each([
    ['another id', {}, {}],
    ['another body', { instructions: 'Other' }, { callId: randomUUID() }],
    ['another caller', {}, { callId: randomUUID(), sub: 'somebody else' }],
    ['an id that is none', {}, { callId: 'correlation' }],
  ])('finds a busy thread busy with %s', async (_name, params, options) => {
    await t.engine.outcome({ status: 'never' });
    const id = await openThread();
    const { callId } = options as { callId?: string };
    const first = await send(`threads/${id}/runs`, { assistant_id }, callId === undefined ? {} : { callId });
    const { status, body } = await send(`threads/${id}/runs`, { assistant_id, ...params }, options);
    expect([status, body.error.message]).toEqual([
      400,
      `Thread ${id} already has an active run ${first.body.id}.`,
    ]);
  });
});
