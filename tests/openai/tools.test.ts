import { beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { type Client, failureOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let client: Client;
let editor: Client;
let assistant_id: string;

const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'Get the weather in a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    strict: false,
  },
};

beforeAll(async () => {
  const { projectId } = await t.addProject({ members: ['member', 'eve'], editors: ['eve'] });
  client = await openClient(t, { projectId, claims: { sub: 'member' } });
  editor = await openClient(t, { projectId, claims: { sub: 'eve' } });
  const created = await editor.beta.assistants.create({
    model: 'gpt-5-nano',
    instructions: 'Use your tools.',
    tools: [weather],
  });
  expect(created.tools).toEqual([weather]);
  assistant_id = created.id;
});

const poll = { pollIntervalMs: 25 };
const messages = [{ role: 'user' as const, content: 'What is the weather in Rome?' }];

/** Starts a run that waits for an output. */
async function startWaiting() {
  await t.engine.outcome(replies.functionCall('get_weather', { city: 'Rome' }));
  const run = await client.beta.threads.createAndRunPoll({ assistant_id, thread: { messages } }, poll);
  const [call] = run.required_action?.submit_tool_outputs.tool_calls ?? [];
  return { run, thread_id: run.thread_id, call };
}

const weatherCall = (id: string | undefined) => ({
  ...{ id: id ?? '', type: 'function' as const },
  function: { name: 'get_weather', arguments: '{"city":"Rome"}' },
});

const outputsFor = (id: string | undefined, output = 'sunny') => ({
  tool_outputs: [{ tool_call_id: id ?? '', output }],
});

const roundsOf = (runId: string) => t.engine.roundsOf(runId);

describe('a run that needs a function', () => {
  test('waits for its output, and goes on with it', async () => {
    const { run, thread_id, call } = await startWaiting();
    expect(run.status).toBe('requires_action');
    expect(call).toEqual({
      id: expect.stringMatching(/^call_/),
      type: 'function',
      function: { name: 'get_weather', arguments: '{"city":"Rome"}' },
    });
    const ended = await client.beta.threads.runs.submitToolOutputsAndPoll(
      run.id,
      { thread_id, ...outputsFor(call?.id) },
      poll,
    );
    expect(ended).toMatchObject({ id: run.id, status: 'completed', required_action: null });
    const [reply] = (await client.beta.threads.messages.list(thread_id)).data;
    expect(JSON.stringify(reply?.content)).toContain('sunny');
    const rounds = await roundsOf(run.id);
    expect(rounds.map(({ model, instructions }) => [model, instructions])).toEqual([
      ['gpt-5-nano', 'Use your tools.'],
      ['gpt-5-nano', 'Use your tools.'],
    ]);
  });

  test('goes on although its assistant has been deleted, and is not made to call again', async () => {
    const { id } = await editor.beta.assistants.create({ model: 'gpt-5-nano', tools: [weather] });
    await t.engine.outcome(replies.functionCall('get_weather', { city: 'Rome' }));
    const run = await client.beta.threads.createAndRunPoll(
      { assistant_id: id, thread: { messages }, tool_choice: 'required' },
      poll,
    );
    await editor.beta.assistants.delete(id);
    const [call] = run.required_action?.submit_tool_outputs.tool_calls ?? [];
    const { thread_id } = run;
    const ended = await client.beta.threads.runs.submitToolOutputsAndPoll(
      run.id,
      { thread_id, ...outputsFor(call?.id) },
      poll,
    );
    expect(ended).toMatchObject({ status: 'completed', model: 'gpt-5-nano', tool_choice: 'required' });
    const engine = new OpenAI({ baseURL: t.engine.url, apiKey: 'test' });
    const choices = await Promise.all(
      (await roundsOf(run.id)).map(async (round) => (await engine.responses.retrieve(round.id)).tool_choice),
    );
    expect(choices.toSorted()).toEqual(['auto', 'required']);
  });

  test('is streamed on both sides of the output', async () => {
    await t.engine.outcome(replies.functionCall('get_weather', { city: 'Rome' }));
    const first = client.beta.threads.createAndRunStream({ assistant_id, thread: { messages } });
    const seen: unknown[] = [];
    first.on('toolCallCreated', ({ type }) => seen.push(['created', type]));
    first.on('toolCallDone', (done) => seen.push(['done', done.type === 'function' && done.function.name]));
    const run = await first.finalRun();
    expect(run.status).toBe('requires_action');
    expect(seen).toEqual([
      ['created', 'function'],
      ['done', 'get_weather'],
    ]);
    const [call] = run.required_action?.submit_tool_outputs.tool_calls ?? [];
    const second = client.beta.threads.runs.submitToolOutputsStream(run.id, {
      thread_id: run.thread_id,
      ...outputsFor(call?.id),
    });
    const events: string[] = [];
    let text = '';
    second.on('event', ({ event }) => events.push(event));
    const answered: OpenAI.Beta.Threads.Runs.RunStep[] = [];
    second.on('runStepDone', (step) => answered.push(step));
    second.on('textDelta', ({ value }) => {
      text += value;
    });
    expect((await second.finalRun()).status).toBe('completed');
    expect(text).toContain('sunny');
    expect(events.slice(0, 3)).toEqual([
      ...['thread.run.step.completed', 'thread.run.queued', 'thread.run.in_progress'],
    ]);
    expect(events).not.toContain('thread.run.requires_action');
    const { thread_id } = run;
    const [listed] = (await client.beta.threads.runs.steps.list(run.id, { thread_id, order: 'asc' })).data;
    const answer = {
      ...weatherCall(call?.id),
      function: { ...weatherCall(call?.id).function, output: 'sunny' },
    };
    expect(answered[0]).toEqual({
      ...listed,
      completed_at: expect.any(Number),
      step_details: { type: 'tool_calls', tool_calls: [answer] },
    });
    expect((await first.finalRunSteps()).map(({ id }) => id)).toEqual([listed?.id]);
  });

  test('is streamed after its output although the engine does not tell the step', async () => {
    const { run, thread_id, call } = await startWaiting();
    const [{ id = '' } = {}] = await roundsOf(run.id);
    await t.engine.fault(
      { method: 'GET', path: `/v1/responses/${id}`, exact: true },
      { kind: 'status', status: 500 },
    );
    const params = { thread_id, ...outputsFor(call?.id) };
    const stream = client.beta.threads.runs.submitToolOutputsStream(run.id, params);
    const events: string[] = [];
    stream.on('event', ({ event }) => events.push(event));
    expect((await stream.finalRun()).status).toBe('completed');
    expect(events[0]).toBe('thread.run.queued');
  });

  test('goes on once when the same outputs are submitted twice', async () => {
    const { run, thread_id, call } = await startWaiting();
    const submit = () =>
      client.beta.threads.runs.submitToolOutputs(run.id, { thread_id, ...outputsFor(call?.id) });
    const [one, other] = await Promise.all([submit(), submit()]);
    expect([one.id, other.id]).toEqual([run.id, run.id]);
    await client.beta.threads.runs.poll(run.id, { thread_id }, poll);
    expect((await submit()).status).toBe('completed');
    expect(await roundsOf(run.id)).toHaveLength(2);
  });

  test('is cancelled while it waits, and its thread goes on', async () => {
    const { run, thread_id } = await startWaiting();
    const cancelled = await client.beta.threads.runs.cancel(run.id, { thread_id });
    expect(cancelled).toMatchObject({ status: 'cancelled', required_action: null });
    const next = await client.beta.threads.runs.createAndPoll(thread_id, { assistant_id: 'asst_test' }, poll);
    expect(next.status).toBe('completed');
  });

  test('names outputs that are missing, unknown or doubled', async () => {
    const { run, thread_id, call } = await startWaiting();
    const id = call?.id ?? '';
    const output = { tool_call_id: id, output: 'x' };
    for (const [tool_outputs, param] of [
      [[], 'tool_outputs'],
      [[{ tool_call_id: 'call_none', output: 'x' }], 'tool_outputs[0].tool_call_id'],
      [[output, output], 'tool_outputs[1].tool_call_id'],
    ] as const) {
      const params = { thread_id, tool_outputs: [...tool_outputs] };
      const error = await failureOf(client.beta.threads.runs.submitToolOutputs(run.id, params));
      expect(error).toMatchObject({ status: 400, param });
    }
    await client.beta.threads.runs.cancel(run.id, { thread_id });
    const late = { thread_id, ...outputsFor(id) };
    const error = await failureOf(client.beta.threads.runs.submitToolOutputs(run.id, late));
    expect(error.message).toBe('400 Runs in status "cancelled" do not accept tool outputs.');
  });

  test('is seen and answered on the project API too', async () => {
    const { run, thread_id, call } = await startWaiting();
    const [, projectId] = /projects\/([^/]+)/.exec(client.baseURL) ?? [];
    const path = `projects/${projectId}/threads/${thread_id}/runs/${run.id}`;
    const { body } = await t.call(path);
    expect(body.requiredAction.toolCalls[0].toolCallId).toBe(call?.id);
    const toolOutputs = [{ toolCallId: call?.id, output: 'rainy' }];
    expect((await t.call(`${path}/tool-outputs`, { method: 'POST', body: { toolOutputs } })).status).toBe(
      200,
    );
    const ended = await client.beta.threads.runs.poll(run.id, { thread_id }, poll);
    expect(ended.status).toBe('completed');
  });
});

describe('the steps of a run', () => {
  test('are its tool calls and the messages that it created', async () => {
    const { run, thread_id, call } = await startWaiting();
    await client.beta.threads.runs.submitToolOutputsAndPoll(
      run.id,
      { thread_id, ...outputsFor(call?.id) },
      poll,
    );
    const steps = (await client.beta.threads.runs.steps.list(run.id, { thread_id, order: 'asc' })).data;
    const [reply] = (await client.beta.threads.messages.list(thread_id)).data;
    expect(steps.map(({ type, status, step_details }) => [type, status, step_details])).toEqual([
      [
        'tool_calls',
        'completed',
        {
          type: 'tool_calls',
          tool_calls: [
            {
              id: call?.id,
              type: 'function',
              function: { name: 'get_weather', arguments: '{"city":"Rome"}', output: null },
            },
          ],
        },
      ],
      [
        'message_creation',
        'completed',
        { type: 'message_creation', message_creation: { message_id: reply?.id } },
      ],
    ]);
    const [step] = steps;
    expect(step).toMatchObject({ object: 'thread.run.step', run_id: run.id, thread_id, assistant_id });
    const found = await client.beta.threads.runs.steps.retrieve(step?.id ?? '', {
      thread_id,
      run_id: run.id,
    });
    expect(found).toEqual(step);
    const newest = await client.beta.threads.runs.steps.list(run.id, { thread_id, limit: 1 });
    expect(newest.data).toEqual(steps.slice(1));
    expect(newest.has_more).toBe(true);
    const unknown = client.beta.threads.runs.steps.retrieve('step_none', { thread_id, run_id: run.id });
    expect((await failureOf(unknown)).message).toBe("404 No run step found with id 'step_none'.");
  });

  test('are gone when the engine has forgotten the run', async () => {
    await t.engine.outcome(replies.texts('It is sunny.'));
    const run = await client.beta.threads.createAndRunPoll({ assistant_id, thread: { messages } }, poll);
    const [round] = await roundsOf(run.id);
    await t.engine.forget(round?.id ?? '');
    const error = await failureOf(
      Promise.resolve(client.beta.threads.runs.steps.list(run.id, { thread_id: run.thread_id })),
    );
    expect(error).toMatchObject({ status: 410, code: 'steps_expired' });
  });
});

test('a run replies in the form that it demands', async () => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  };
  const response_format = {
    type: 'json_schema' as const,
    json_schema: { name: 'place', schema, strict: true },
  };
  const run = await client.beta.threads.createAndRunPoll(
    { assistant_id: 'asst_test', thread: { messages }, response_format },
    poll,
  );
  expect(run).toMatchObject({ status: 'completed', response_format });
  const [reply] = (await client.beta.threads.messages.list(run.thread_id)).data;
  const [part] = reply?.content ?? [];
  expect(JSON.parse(part?.type === 'text' ? part.text.value : '')).toEqual({ city: expect.any(String) });
});

test.each<[string, object]>([
  ['tools', { tools: [{ ...weather, function: { ...weather.function, name: 'no name' } }] }],
  ['tools', { tools: [weather, weather] }],
  ['response_format', { response_format: { type: 'json_schema', json_schema: { name: 'a b', schema: {} } } }],
])('invalid %s are refused as in the configuration', async (param, changes) => {
  const error = await failureOf(editor.beta.assistants.create({ model: 'gpt-5-nano', ...changes }));
  expect(error).toMatchObject({ status: 400, param });
});
