import { EventEmitter } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { checkedFetch } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { useService } from '../support/useService.ts';

/*
 * Programs in the styles that are common among users of the Assistants API. Each would run against the original but for
 * the two lines of `createClient`.
 */

const t = useService();
let token: string;
let url: string;
beforeAll(async () => {
  const { projectId } = await t.addProject({ editors: ['eve'] });
  token = await t.issuer.sign({ sub: 'eve', projects: [projectId] });
  url = `${t.url}/api/projects/${projectId}/openai/v1`;
});

// biome-ignore lint/suspicious/noExplicitAny: programs without types.
const toJson = (response: Response): Promise<any> => response.json();

const createClient = () => new OpenAI({ baseURL: url, apiKey: token, fetch: checkedFetch });

const tutor = {
  name: 'Math Tutor',
  instructions: 'You are a personal math tutor. Write and run code to answer math questions.',
  tools: [{ type: 'code_interpreter' as const }],
  model: 'gpt-5-mini',
};
const weather = {
  type: 'function' as const,
  function: {
    name: 'getCurrentTemperature',
    description: 'Get the current temperature for a specific location',
    parameters: {
      type: 'object',
      properties: { location: { type: 'string' }, unit: { type: 'string', enum: ['Celsius', 'Fahrenheit'] } },
      required: ['location', 'unit'],
    },
  },
};
const rain = {
  type: 'function' as const,
  function: {
    name: 'getRainProbability',
    parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
  },
};
const bothCalls = replies.functionCalls(
  ['getCurrentTemperature', { location: 'Rome', unit: 'Celsius' }],
  ['getRainProbability', { location: 'Rome' }],
);
const weatherBot = { model: 'gpt-5-mini', instructions: 'You are a weather bot.', tools: [weather, rain] };

test('a loop that polls by hand, and cancels what takes too long', async () => {
  const openai = createClient();
  const assistant = await openai.beta.assistants.create(tutor);
  const thread = await openai.beta.threads.create();
  await openai.beta.threads.messages.create(thread.id, { role: 'user', content: 'Solve `3x + 11 = 14`.' });

  const ask = async (patience: number) => {
    let run = await openai.beta.threads.runs.create(thread.id, { assistant_id: assistant.id });
    const started = Date.now();
    while (run.status === 'queued' || run.status === 'in_progress' || run.status === 'cancelling') {
      if (Date.now() - started > patience) {
        run = await openai.beta.threads.runs.cancel(run.id, { thread_id: thread.id });
        continue;
      }
      await wait(50);
      run = await openai.beta.threads.runs.retrieve(run.id, { thread_id: thread.id });
    }
    return run;
  };
  await t.engine.outcome({ status: 'never' });
  expect((await ask(200)).status).toBe('cancelled');
  const run = await ask(20_000);
  expect(run.status).toBe('completed');

  const messages = await openai.beta.threads.messages.list(thread.id);
  const lastForRun = messages.data.find(({ run_id, role }) => run_id === run.id && role === 'assistant');
  expect(lastForRun?.content[0]?.type).toBe('text');
  const lines = messages.data.toReversed().map(({ role, content: [part] }) => {
    return `${role} > ${part?.type === 'text' ? part.text.value : ''}`;
  });
  expect(lines[0]).toBe('user > Solve `3x + 11 = 14`.');
  await openai.beta.assistants.delete(assistant.id);
});

test('a function calling loop of polls, with several calls at once', async () => {
  const client = createClient();
  const assistant = await client.beta.assistants.create(weatherBot);
  const thread = await client.beta.threads.create();
  await client.beta.threads.messages.create(thread.id, { role: 'user', content: 'How is Rome today?' });
  await t.engine.outcome(bothCalls);

  const handleRequiresAction = async (
    run: OpenAI.Beta.Threads.Run,
  ): Promise<OpenAI.Beta.Threads.Message[]> => {
    const toolOutputs = run.required_action?.submit_tool_outputs.tool_calls.map((tool) => {
      const args = JSON.parse(tool.function.arguments);
      const output = tool.function.name === 'getCurrentTemperature' ? `57 ${args.unit}` : '0.06';
      return { tool_call_id: tool.id, output };
    });
    if (!toolOutputs?.length) return [];
    const next = await client.beta.threads.runs.submitToolOutputsAndPoll(
      run.id,
      { thread_id: run.thread_id, tool_outputs: toolOutputs },
      { pollIntervalMs: 50 },
    );
    return handleRunStatus(next);
  };
  const handleRunStatus = async (run: OpenAI.Beta.Threads.Run): Promise<OpenAI.Beta.Threads.Message[]> => {
    if (run.status === 'completed') return (await client.beta.threads.messages.list(thread.id)).data;
    if (run.status === 'requires_action') return handleRequiresAction(run);
    throw new Error(`the run is ${run.status}`);
  };
  const run = await client.beta.threads.runs.createAndPoll(
    thread.id,
    { assistant_id: assistant.id },
    { pollIntervalMs: 50 },
  );
  const [reply] = await handleRunStatus(run);
  expect(JSON.stringify(reply?.content)).toContain('57 Celsius');
});

test('an event handler class that submits outputs while it streams', async () => {
  class EventHandler extends EventEmitter {
    readonly client: OpenAI;
    text = '';
    constructor(client: OpenAI) {
      super();
      this.client = client;
    }
    async onEvent(event: OpenAI.Beta.AssistantStreamEvent): Promise<void> {
      if (event.event === 'thread.run.requires_action') {
        await this.handleRequiresAction(event.data, event.data.id, event.data.thread_id);
      }
      if (event.event === 'thread.message.delta') {
        for (const part of event.data.delta.content ?? []) {
          if (part.type === 'text') this.text += part.text?.value ?? '';
        }
      }
    }
    async handleRequiresAction(data: OpenAI.Beta.Threads.Run, runId: string, threadId: string) {
      const tool_outputs = (data.required_action?.submit_tool_outputs.tool_calls ?? []).map((call) => ({
        tool_call_id: call.id,
        output: call.function.name === 'getCurrentTemperature' ? '57' : '0.06',
      }));
      const stream = this.client.beta.threads.runs.submitToolOutputsStream(runId, {
        thread_id: threadId,
        tool_outputs,
      });
      for await (const event of stream) await this.onEvent(event);
    }
  }
  const client = createClient();
  const assistant = await client.beta.assistants.create(weatherBot);
  const thread = await client.beta.threads.create({ messages: [{ role: 'user', content: 'Rome?' }] });
  await t.engine.outcome(bothCalls);
  const eventHandler = new EventHandler(client);
  const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
  for await (const event of stream) await eventHandler.onEvent(event);
  expect(eventHandler.text).toContain('0.06');
});

test('a raw stream of events with a conversation over several turns', async () => {
  const openai = createClient();
  const { data } = await openai.beta.assistants.list({ order: 'desc', limit: 20 });
  const assistant = data.find(({ id }) => id === 'asst_test') ?? data[0];
  const thread = await openai.beta.threads.create();
  const chat = async (question: string) => {
    await openai.beta.threads.messages.create(thread.id, { role: 'user', content: question });
    const stream = await openai.beta.threads.runs.create(thread.id, {
      assistant_id: assistant?.id ?? '',
      stream: true,
    });
    let answer = '';
    for await (const event of stream) {
      if (event.event === 'thread.message.delta') {
        const chunk = event.data.delta.content?.[0];
        if (chunk && 'text' in chunk && chunk.text?.value) answer += chunk.text.value;
      }
      if (event.event === 'thread.run.failed') throw new Error(event.data.last_error?.message);
    }
    return answer;
  };
  expect(await chat('Explain the database schema')).toContain('database-schema.md');
  expect(await chat('And the error handling?')).not.toBe('');
  const { data: messages } = await openai.beta.threads.messages.list(thread.id, { order: 'asc' });
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
});

test('a run whose newest messages are read by its id, page by page, and its steps', async () => {
  const openai = createClient();
  const run = await openai.beta.threads.createAndRunPoll(
    {
      assistant_id: 'asst_test',
      thread: { messages: [{ role: 'user', content: 'Explain the database schema' }] },
    },
    { pollIntervalMs: 50 },
  );
  const messages: OpenAI.Beta.Threads.Message[] = [];
  const list = openai.beta.threads.messages.list(run.thread_id, { run_id: run.id, limit: 1 });
  for await (const message of list) messages.push(message);
  expect(messages.map(({ run_id, role }) => [run_id, role])).toEqual([[run.id, 'assistant']]);
  const steps = await openai.beta.threads.runs.steps.list(run.id, { thread_id: run.thread_id });
  expect(steps.data.map(({ type }) => type)).toContain('message_creation');
  expect(run.usage?.total_tokens).toBe((run.usage?.prompt_tokens ?? 0) + (run.usage?.completion_tokens ?? 0));
});

test('a stream whose citations become footnotes', async () => {
  const openai = createClient();
  const footnotes: string[] = [];
  let text = '';
  const stream = openai.beta.threads.createAndRunStream({
    assistant_id: 'asst_test',
    thread: { messages: [{ role: 'user', content: 'Explain the database schema' }] },
  });
  const done = new Promise<void>((resolve, reject) => {
    stream.on('error', reject).on('messageDone', async ({ content: [part] }) => {
      if (part?.type !== 'text') return reject(new Error('no text'));
      text = part.text.value;
      for (const [index, annotation] of part.text.annotations.entries()) {
        text = text.replace(annotation.text, `[${index}]`);
        if (!('file_citation' in annotation)) continue;
        const file = await openai.files.retrieve(annotation.file_citation.file_id);
        footnotes.push(`[${index}]${file.filename}`);
      }
      resolve();
    });
  });
  await Promise.all([stream.done(), done]);
  expect(text).toContain('[0]');
  expect(footnotes).not.toEqual([]);
  for (const note of footnotes) expect(note).toMatch(/^\[\d+\].*\.md$/);
});

/** As the original showed it of every search for which none was chosen. */
const ranking = { ranker: 'default_2024_08_21' as const, hybrid_search: null, score_threshold: 0 };

test('a program of version 1 that names no files', async () => {
  const client = createClient();
  const file_ids: string[] = [];
  const assistant = await client.beta.assistants.create({ ...tutor, file_ids } as typeof tutor);
  const thread = await client.beta.threads.create();
  const message = { role: 'user' as const, content: 'Solve it.', file_ids };
  await client.beta.threads.messages.create(thread.id, message);
  const run = await client.beta.threads.runs.createAndPoll(
    thread.id,
    { assistant_id: assistant.id },
    { pollIntervalMs: 50 },
  );
  expect(run.status).toBe('completed');
});

test('an assistant whose lists of files and stores are read, extended and sent back', async () => {
  const client = createClient();
  const { beta, files } = client;
  const { id } = await beta.assistants.create({
    ...tutor,
    tools: [{ type: 'code_interpreter' }, { type: 'file_search', file_search: { ranking_options: ranking } }],
  });
  const file = new File(['a,b\n1,2'], 'table.csv');
  const { id: fileId } = await files.create({ file, purpose: 'assistants' });
  const assistant = await beta.assistants.retrieve(id);
  const { code_interpreter, file_search } = assistant.tool_resources ?? {};
  expect(file_search?.vector_store_ids).toEqual([]);
  code_interpreter?.file_ids?.push(fileId);
  const { id: _, object: __, created_at: ___, ...definition } = assistant;
  const updated = await beta.assistants.update(id, definition as OpenAI.Beta.AssistantUpdateParams);
  expect(updated).toEqual({ ...assistant, tool_resources: { code_interpreter, file_search } });
  expect(updated.tool_resources?.code_interpreter?.file_ids).toEqual([fileId]);
});

test('plain HTTP with the header of version 2', async () => {
  const call = async (path: string, body?: object) => {
    const response = await checkedFetch(`${url}${path}`, {
      method: body ? 'POST' : 'GET',
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${token}`,
        'OpenAI-Beta': 'assistants=v2',
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(response.status).toBe(200);
    return toJson(response);
  };
  const thread = await call('/threads', { messages: [{ role: 'user', content: 'Hello' }] });
  const run = await call(`/threads/${thread.id}/runs`, { assistant_id: 'asst_test' });
  let status = run.status;
  while (!['completed', 'failed', 'expired', 'cancelled'].includes(status)) {
    await wait(50);
    ({ status } = await call(`/threads/${thread.id}/runs/${run.id}`));
  }
  expect(status).toBe('completed');
  const { data } = await call(`/threads/${thread.id}/messages?limit=1&order=desc`);
  expect(data[0].content[0].text.value).not.toBe('');
});

test('requests in the form of the Python package', async () => {
  const headers = {
    Accept: 'application/json',
    'Accept-Encoding': 'gzip, deflate',
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    'OpenAI-Beta': 'assistants=v2',
    'User-Agent': 'OpenAI/Python 2.8.1',
    'X-Stainless-Arch': 'x64',
    'X-Stainless-Async': 'false',
    'X-Stainless-Lang': 'python',
    'X-Stainless-OS': 'Linux',
    'X-Stainless-Package-Version': '2.8.1',
    'X-Stainless-Runtime': 'CPython',
    'X-Stainless-Runtime-Version': '3.13.1',
    'x-stainless-read-timeout': '600',
    'x-stainless-retry-count': '0',
  };
  const call = async (method: string, path: string, body?: string, more: Record<string, string> = {}) => {
    const response = await checkedFetch(`${url}${path}`, {
      method,
      headers: { ...headers, ...more },
      ...(body !== undefined && { body }),
    });
    expect([method, path, response.status]).toEqual([method, path, 200]);
    return response;
  };
  const thread = await toJson(await call('POST', '/threads', '{}'));
  const content = [{ type: 'text', text: 'Explain the database schema' }];
  await call('POST', `/threads/${thread.id}/messages`, JSON.stringify({ content, role: 'user' }));
  const body = JSON.stringify({ assistant_id: 'asst_test', stream: null, tool_choice: null, metadata: null });
  const polled = await call('POST', `/threads/${thread.id}/runs`, body, {
    'x-stainless-poll-helper': 'true',
  });
  expect(Number(polled.headers.get('openai-poll-after-ms'))).toBeGreaterThan(0);
  const { id } = await toJson(polled);
  const read = async () => toJson(await call('GET', `/threads/${thread.id}/runs/${id}`));
  while ((await read()).status !== 'completed') await wait(50);
  const streamed = await call(
    'POST',
    `/threads/${thread.id}/runs`,
    JSON.stringify({ assistant_id: 'asst_test', stream: true, additional_messages: null }),
    { 'X-Stainless-Stream-Helper': 'threads.runs.create_and_stream', Accept: 'text/event-stream' },
  );
  expect(await streamed.text()).toMatch(/event: done\ndata: \[DONE\]\n\n$/);
  await call('GET', `/threads/${thread.id}/runs/${id}/steps?limit=20&order=asc`);
  await call('DELETE', `/threads/${thread.id}`);
});
