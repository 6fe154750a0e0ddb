import { describe, expect, test } from '@jest/globals';
import OpenAIv4, { AzureOpenAI as AzureOpenAIv4, type ClientOptions } from 'openai-v4';
import { type Client, checkedFetch, clientClasses, failureOf } from '../support/assistantsApi.ts';
import { useService } from '../support/useService.ts';

const t = useService();
/** Version 4 knows the types of node-fetch. */
const fetch = checkedFetch as unknown as NonNullable<ClientOptions['fetch']>;

describe.each(Object.entries(clientClasses))('with today’s %s', (_name, open) => {
  test('the quick start of the original documentation runs', async () => {
    const client: Client = await open(t);
    const assistant = await client.beta.assistants.retrieve('asst_test');
    const thread = await client.beta.threads.create();
    const asked = await client.beta.threads.messages.create(thread.id, {
      role: 'user',
      content: 'Explain the database schema',
    });
    const run = await client.beta.threads.runs.createAndPoll(
      thread.id,
      { assistant_id: assistant.id, additional_instructions: 'Be brief.' },
      { pollIntervalMs: 50 },
    );
    expect(run).toMatchObject({ status: 'completed', thread_id: thread.id, assistant_id: assistant.id });
    const messages = await client.beta.threads.messages.list(thread.id);
    expect(messages.data.map(({ role }) => role)).toEqual(['assistant', 'user']);
    expect(messages.data[1]?.id).toBe(asked.id);
    const [reply] = messages.data[0]?.content ?? [];
    expect(reply?.type === 'text' && reply.text.value).toContain('database-schema.md');
    const [engineRun] = (await t.engine.runs()).filter(({ metadata }) => metadata['runId'] === run.id);
    expect(engineRun?.instructions).toBe('Assistant instructions.\n\nBe brief.');
    expect((await client.beta.threads.delete(thread.id)).deleted).toBe(true);
  });

  test('the models are those that an assistant may have', async () => {
    const client: Client = await open(t);
    const models = await Array.fromAsync(client.models.list(), ({ id }) => id);
    expect(models).toEqual(['gpt-5-mini', 'gpt-5-nano']);
    expect(await client.models.retrieve('gpt-5-nano')).toMatchObject({ id: 'gpt-5-nano', object: 'model' });
    expect(await failureOf(client.models.retrieve('gpt-4o'))).toMatchObject({
      ...{ status: 404, code: 'model_not_found', param: 'model' },
      message: "404 The model 'gpt-4o' does not exist or you do not have access to it.",
    });
  });

  test('a reply is streamed', async () => {
    const client: Client = await open(t);
    const messages = [{ role: 'user' as const, content: 'Explain the database schema' }];
    const stream = client.beta.threads.createAndRunStream({
      assistant_id: 'asst_test',
      thread: { messages },
    });
    let text = '';
    stream.on('textDelta', ({ value }) => {
      text += value;
    });
    const run = await stream.finalRun();
    expect(run.status).toBe('completed');
    const [message] = await stream.finalMessages();
    expect(message?.content).toMatchObject([{ type: 'text', text: { value: text } }]);
    const listed = await client.beta.threads.messages.list(run.thread_id);
    expect(listed.data[0]?.id).toBe(message?.id);
    expect(listed.data[0]?.content).toEqual(message?.content);
  });
});

describe.each([
  ['OpenAI', (token: string) => new OpenAIv4({ baseURL: `${base()}/openai/v1`, apiKey: token, fetch })],
  [
    'AzureOpenAI',
    (token: string) =>
      new AzureOpenAIv4({ endpoint: base(), apiVersion: '2024-05-01-preview', apiKey: token, fetch }),
  ],
])('with %s of version 4', (_name, open) => {
  test('the quick start of the original documentation runs', async () => {
    const client = open(await t.issuer.sign({ projects: [t.projectId] }));
    const [assistant] = (await client.beta.assistants.list()).data;
    const thread = await client.beta.threads.create({
      messages: [{ role: 'user', content: 'Explain the database schema' }],
    });
    const run = await client.beta.threads.runs.createAndPoll(
      thread.id,
      { assistant_id: assistant?.id ?? '' },
      { pollIntervalMs: 50 },
    );
    expect(run.status).toBe('completed');
    const roles: string[] = [];
    for await (const { role } of client.beta.threads.messages.list(thread.id, { limit: 1 })) roles.push(role);
    expect(roles).toEqual(['assistant', 'user']);
    const stream = client.beta.threads.runs.stream(thread.id, {
      assistant_id: 'asst_test',
      additional_messages: [{ role: 'user', content: 'And the error handling?' }],
    });
    expect((await stream.finalRun()).status).toBe('completed');
    expect((await stream.finalMessages()).length).toBe(1);
    expect((await client.beta.threads.del(thread.id)).deleted).toBe(true);
  });
});

const base = () => `${t.url}/api/projects/${t.projectId}`;
