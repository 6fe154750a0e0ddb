import { describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import type { Response, ResponseInputItem, Tool } from 'openai/resources/responses/responses';
import { type Control, collect, idOf, model, start, typesOf } from '../../support/emulator.ts';
import { type EngineRun, replies } from '../../support/engine.ts';

const order = (control: Control, outcome: unknown) => control('POST', 'outcomes', { outcome });

const weather: Tool = {
  type: 'function',
  name: 'get_weather',
  description: 'Returns the current temperature and conditions of a place.',
  parameters: {
    type: 'object',
    properties: { place: { type: 'string' }, unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
    required: ['place', 'unit'],
    additionalProperties: false,
  },
  strict: true,
};

const calendar: Tool = {
  type: 'mcp',
  server_label: 'calendar',
  server_url: 'https://calendar.example/mcp',
  server_description: 'Meetings and free rooms',
  allowed_tools: ['create_event', 'list_events'],
  authorization: 'secret-token',
  require_approval: { never: { tool_names: ['list_events'] } },
};

async function converse(tools: Tool[]) {
  const started = await start();
  const { id: conversation } = await started.client.conversations.create();
  const ask = (input: string | ResponseInputItem[], more: object = {}): Promise<Response> =>
    started.client.responses.create({ model, input, conversation, tools, ...more });
  return { ...started, conversation, ask };
}

function callsOf(response: Response) {
  return response.output.flatMap((item) => (item.type === 'function_call' ? [item] : []));
}

function approvalOf(response: Response) {
  const request = response.output.find((item) => item.type === 'mcp_approval_request');
  if (request?.type !== 'mcp_approval_request') throw new Error('no approval request');
  return request;
}

const output = (call_id: string, text: string): ResponseInputItem => {
  return { type: 'function_call_output', call_id, output: text };
};

const approval = (approval_request_id: string, approve: boolean, reason?: string): ResponseInputItem => {
  return { type: 'mcp_approval_response', approval_request_id, approve, ...(reason && { reason }) };
};

const itemTypes = async (client: OpenAI, conversation: string) =>
  (await client.conversations.items.list(conversation, { order: 'asc' })).data.map(({ type }) => type);

describe('a function', () => {
  test('is called when the request demands it, whatever the question', async () => {
    const time: Tool = { type: 'function', name: 'get_time', parameters: { type: 'object' }, strict: false };
    const namesFor = async (tool_choice: object | string) => {
      const { ask } = await converse([weather, time]);
      return callsOf(await ask('Hello', { tool_choice })).map(({ name }) => name);
    };
    expect(await namesFor('required')).toEqual(['get_weather']);
    expect(await namesFor({ type: 'function', name: 'get_time' })).toEqual(['get_time']);
    expect(await namesFor('auto')).toEqual([]);
  });

  test.each([
    'Get the weather in Rome, in fahrenheit',
    'What are the temperature and the conditions in Rome (fahrenheit)?',
  ])('is called by "%s", and its output quoted', async (question) => {
    const { ask, client, conversation } = await converse([weather]);
    const asked = await ask(question);
    expect(asked.output).toMatchObject([
      { type: 'function_call', name: 'get_weather', arguments: '{"place":"Rome","unit":"fahrenheit"}' },
    ]);
    const [call] = callsOf(asked);
    const reply = await ask([output(call?.call_id ?? '', '68 °F\nsunny')]);
    expect(reply.output_text).toContain('**get_weather** returned:\n\n> 68 °F\n> sunny');
    expect(await itemTypes(client, conversation)).toEqual([
      'message',
      'function_call',
      'function_call_output',
      'message',
    ]);
  });

  test.each([
    ['by another question', 'Who are you?', {}],
    ['when the request forbids it', 'Get the weather in Rome', { tool_choice: 'none' }],
  ])('is not called %s', async (_name, question, more) => {
    const { ask } = await converse([weather]);
    expect((await ask(question, more)).output.map(({ type }) => type)).toEqual(['message']);
  });

  test('is asked for by a message that was added to the conversation before the response', async () => {
    const { client } = await start();
    const question = { role: 'user' as const, content: 'Get the weather in Rome' };
    const { id: conversation } = await client.conversations.create({ items: [question] });
    const response = await client.responses.create({ model, conversation, tools: [weather] });
    expect(response.output).toMatchObject([
      { type: 'function_call', arguments: expect.stringContaining('Rome') },
    ]);
  });

  test('called several times at once needs all outputs, each once', async () => {
    const { ask, control } = await converse([weather]);
    await order(control, replies.functionCalls(['one', {}], ['two', {}]));
    const [one, two] = callsOf(await ask('Hi')).map(({ call_id }) => call_id) as [string, string];
    await expect(ask([output(one, '1')])).rejects.toMatchObject({
      status: 400,
      error: { message: `No tool output found for function call ${two}.`, param: 'input' },
    });
    await expect(ask([output(one, '1'), output(one, '1'), output(two, '2')])).rejects.toMatchObject({
      error: { message: `No tool call found for function call output with call_id ${one}.` },
    });
    const reply = await ask([output(two, '2'), output(one, '1')]);
    expect(reply.output_text).toMatch(/\*\*two\*\* returned:\n\n> 2\n\n\*\*one\*\* returned:\n\n> 1/);
    await expect(ask([output(two, '2')])).rejects.toMatchObject({ status: 400 });
  });

  test('can have its output in front of the next message', async () => {
    const { ask, control } = await converse([weather]);
    await order(control, replies.functionCall('one', {}));
    const [call] = callsOf(await ask('Hi'));
    const message = { role: 'user' as const, content: 'Get the weather in Oslo' };
    const next = await ask([output(call?.call_id ?? '', 'not answered'), message]);
    expect(callsOf(next)).toMatchObject([{ name: 'get_weather' }]);
  });

  test.each([
    [{ type: 'function_call_output', output: 'x' }, "Missing required parameter: 'input[0].call_id'."],
    [{ type: 'function_call_output', call_id: 'call_1' }, "Missing required parameter: 'input[0].output'."],
    [
      { type: 'mcp_approval_response', approval_request_id: 'mcpr_1' },
      "Missing required parameter: 'input[0].approve'.",
    ],
    [
      { type: 'mcp_approval_response', approval_request_id: 'mcpr_1', approve: true },
      'No approval request found for approval response with approval_request_id mcpr_1.',
    ],
  ])('has no output like %j', async (item, message) => {
    const { ask } = await converse([weather]);
    await expect(ask([item as ResponseInputItem])).rejects.toMatchObject({ status: 400, error: { message } });
  });
});

describe('input', () => {
  test('of a failed response is lost, or kept where the engine appends it at once', async () => {
    const { ask, client, control, conversation } = await converse([]);
    await order(control, replies.functionCall('one', {}));
    const [call] = callsOf(await ask('Hi'));
    const outputs = [output(call?.call_id ?? '', '1')];
    const failed = { status: 'failed', code: 'server_error' };
    await order(control, failed);
    await ask(outputs);
    expect(await itemTypes(client, conversation)).toEqual(['message', 'function_call']);
    await control('PATCH', 'behaviour', { appendInput: 'creation' });
    await order(control, failed);
    await ask(outputs);
    await expect(ask(outputs)).rejects.toMatchObject({ status: 400 });
    const types = ['message', 'function_call', 'function_call_output', 'message', 'message'];
    expect((await ask('And now?')).output_text).toContain('is 1 earlier message');
    expect(await itemTypes(client, conversation)).toEqual(types);
    await expect(control('PATCH', 'behaviour', { appendInput: 'never' })).rejects.toThrow('400');
  });

  test('of a completed response is there once, whenever it is appended', async () => {
    const { client, control } = await start();
    await control('PATCH', 'behaviour', { appendInput: 'creation' });
    await control('PATCH', 'timing', { completeAfterCancelMs: 0 });
    await order(control, { status: 'never' });
    const { id: conversation } = await client.conversations.create();
    const { id } = await client.responses.create({ model, input: 'Hi', conversation, background: true });
    expect(await itemTypes(client, conversation)).toEqual(['message']);
    await control('PATCH', 'behaviour', { appendInput: 'completion' });
    await client.responses.cancel(id);
    expect((await client.responses.retrieve(id)).output_text).toContain('are 0 earlier messages');
    expect(await itemTypes(client, conversation)).toEqual(['message', 'message']);
  });
});

describe('a response that does not complete', () => {
  test('can have calls; the conversation gets those of an incomplete one only', async () => {
    const call = { type: 'function_call', name: 'one', arguments: '{}' } as const;
    const { ask, client, control, conversation } = await converse([]);
    await order(control, replies.failedAfter('server_error', call));
    expect(await ask('Hi')).toMatchObject({ status: 'failed', usage: null, output: [call] });
    expect(await itemTypes(client, conversation)).toEqual([]);
    await order(control, replies.incompleteAfter('max_output_tokens', call));
    expect(await ask('Hi')).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [call],
    });
    expect(await itemTypes(client, conversation)).toEqual(['message', 'function_call']);
    await order(control, replies.failedAfter('server_error', call));
    const stream = await client.responses.create({ model, input: 'Hi', background: true, stream: true });
    const events = await collect(stream);
    expect(typesOf(events).slice(3)).toEqual([
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.failed',
    ]);
    expect((await client.responses.retrieve(idOf(events[0]))).output).toMatchObject([call]);
  });
});

describe('an MCP server', () => {
  test('has its tools listed once, and its token sent but never returned', async () => {
    const { ask, client, control, conversation } = await converse([calendar]);
    const first = await ask('Hello');
    expect(first.output).toMatchObject([
      {
        id: expect.stringMatching(/^mcpl_/),
        type: 'mcp_list_tools',
        server_label: 'calendar',
        tools: [{ name: 'create_event' }, { name: 'list_events' }],
      },
      { type: 'message' },
    ]);
    expect(first.tools).toEqual([{ ...calendar, authorization: undefined, headers: null }]);
    const [run] = await control<EngineRun[]>('GET', 'responses');
    expect(run?.tools).toEqual([{ ...calendar, headers: null }]);
    expect((await ask('Hello')).output.map(({ type }) => type)).toEqual(['message']);
    expect(await itemTypes(client, conversation)).toHaveLength(5);
  });

  test('is called at once where no approval is needed', async () => {
    const { ask } = await converse([calendar]);
    const { output: items, output_text } = await ask('List the events of "March"');
    expect(items.slice(1)).toMatchObject([
      {
        id: expect.stringMatching(/^mcp_/),
        type: 'mcp_call',
        status: 'completed',
        approval_request_id: null,
        arguments: '{"input":"March"}',
        error: null,
        name: 'list_events',
        output: 'list_events of calendar was called with {"input":"March"}',
        server_label: 'calendar',
      },
      { type: 'message' },
    ]);
    expect(output_text).toContain('> list_events of calendar was called');
  });

  test.each(['Create an event for Monday', 'Ask the calendar', 'Which rooms are free for meetings?'])(
    'asks for approval after "%s"',
    async (question) => {
      const { ask } = await converse([calendar]);
      expect(approvalOf(await ask(question))).toMatchObject({
        id: expect.stringMatching(/^mcpr_/),
        name: 'create_event',
        server_label: 'calendar',
      });
    },
  );

  test('is called after approval, and refuses to go on without', async () => {
    const { ask, client, conversation } = await converse([calendar]);
    const { id } = approvalOf(await ask('Create an event for Monday'));
    await expect(ask('And now?')).rejects.toMatchObject({
      status: 400,
      error: { message: `The following MCP approval requests do not have an approval: ${id}` },
    });
    const done = await ask([approval(id, true)]);
    expect(done.output).toMatchObject([
      { type: 'mcp_call', approval_request_id: id, arguments: '{"input":"Monday"}' },
      { type: 'message' },
    ]);
    await expect(ask([approval(id, true)])).rejects.toMatchObject({ status: 400 });
    expect(await itemTypes(client, conversation)).toEqual([
      ...['message', 'mcp_list_tools', 'mcp_approval_request'],
      ...['mcp_approval_response', 'mcp_call', 'message'],
    ]);
  });

  test('is not called after a denial, whose reason is told', async () => {
    const { ask } = await converse([calendar]);
    const { id } = approvalOf(await ask('Create an event for Monday'));
    const denied = await ask([approval(id, false, 'too early')]);
    expect(denied.output.map(({ type }) => type)).toEqual(['message']);
    expect(denied.output_text).toContain('The call of **create_event** was denied: too early.');
  });

  test('has the events of a real engine', async () => {
    const { client, control } = await start();
    const stream = (input: string) =>
      client.responses.create({ model, input, background: true, stream: true, tools: [calendar] });
    expect(typesOf(await collect(await stream('List the events'))).slice(3, -7)).toEqual([
      'response.output_item.added',
      'response.mcp_list_tools.in_progress',
      'response.mcp_list_tools.completed',
      'response.output_item.done',
      'response.output_item.added',
      'response.mcp_call.in_progress',
      'response.mcp_call_arguments.delta',
      'response.mcp_call_arguments.done',
      'response.mcp_call.completed',
      'response.output_item.done',
    ]);
    expect(typesOf(await collect(await stream('Create an event'))).slice(7)).toEqual([
      'response.output_item.added',
      'response.output_item.done',
      'response.completed',
    ]);
    const failed = replies.mcpCall({ name: 'shorten', arguments: '{}', error: 'No access' }, 'Sorry.');
    await order(control, failed);
    const events = await collect(await stream('Hi'));
    expect(typesOf(events)).toContain('response.mcp_call.failed');
    expect(events.filter(({ type }) => type === 'response.output_item.done')[0]).toMatchObject({
      item: {
        type: 'mcp_call',
        status: 'failed',
        output: null,
        error: { type: 'mcp_tool_execution_error', content: [{ type: 'text', text: 'No access' }] },
      },
    });
  });
});
