import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { type Client, failureOf, openClient, openVersion4 } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let client: Client;
beforeAll(async () => {
  client = await openClient(t);
});

const assistant_id = 'asst_test';
const messages = [{ role: 'user' as const, content: 'Explain the database schema' }];
type Event = OpenAI.Beta.AssistantStreamEvent;

/** Joins repeated events. */
const typesOf = (events: readonly Event[]) =>
  events.map(({ event }) => event).filter((event, index, all) => event !== all[index - 1]);

/** All listeners but `event`, and those of a stream that fails. */
const listeners = [
  ...['connect', 'run', 'end'],
  ...['runStepCreated', 'runStepDelta', 'runStepDone', 'toolCallCreated', 'toolCallDelta', 'toolCallDone'],
  ...[
    'messageCreated',
    'messageDelta',
    'messageDone',
    'textCreated',
    'textDelta',
    'textDone',
    'imageFileDone',
  ],
] as const;

const start = () => client.beta.threads.createAndRun({ assistant_id, thread: { messages }, stream: true });

const runEvents = ['thread.created', 'thread.run.created', 'thread.run.queued', 'thread.run.in_progress'];
const messageEvents = [
  'thread.run.step.created',
  'thread.run.step.in_progress',
  'thread.message.created',
  'thread.message.in_progress',
  'thread.message.delta',
  'thread.message.completed',
  'thread.run.step.completed',
];
const searchEvents = [
  'thread.run.step.created',
  'thread.run.step.in_progress',
  'thread.run.step.delta',
  'thread.run.step.completed',
];

test('a stream has the events of the original in its order', async () => {
  const events = await Array.fromAsync(await start());
  expect(typesOf(events)).toEqual([...runEvents, ...searchEvents, ...messageEvents, 'thread.run.completed']);
  for (const { event, data } of events) {
    if (event === 'thread.run.queued') expect(data).toMatchObject({ status: 'queued', started_at: null });
    if (event === 'thread.run.in_progress') expect(data.status).toBe('in_progress');
    if (event === 'thread.message.created')
      expect(data).toMatchObject({ status: 'in_progress', content: [] });
    if (event === 'thread.run.completed') expect(data.usage?.total_tokens).toBeGreaterThan(0);
  }
});

test.each([
  ['today’s version', openClient, ['run completed']],
  // It declares `run`, and never emits it.
  ['version 4', openVersion4, []],
])('a stream calls every listener of %s in its order', async (_version, open, ofRun) => {
  await t.engine.outcome(
    replies.items(
      { type: 'code_interpreter_call', code: 'print(1)', logs: '1' },
      { type: 'message', content: [{ type: 'output_text', text: 'The value is 1.' }] },
    ),
  );
  const { threads } = (await open(t)).beta;
  const seen: string[] = [];
  const stream = threads.createAndRunStream({ assistant_id, thread: { messages } });
  for (const name of listeners) {
    stream.on(name, (...args: unknown[]) => {
      const [first] = args as [{ status?: string } | undefined];
      const text = ['run', 'runStepDone', 'messageDone'].includes(name) ? `${name} ${first?.status}` : name;
      if (!seen.slice(-2).includes(text)) seen.push(text);
    });
  }
  let code = '';
  stream.on('toolCallDelta', (delta) => {
    if (delta.type !== 'code_interpreter') return;
    code += delta.code_interpreter?.input;
  });
  await stream.done();
  expect(seen).toEqual([
    'connect',
    ...['runStepCreated', 'toolCallCreated', 'runStepDelta', 'toolCallDelta', 'toolCallDone'],
    'runStepDone completed',
    ...['runStepCreated', 'messageCreated', 'textCreated', 'messageDelta', 'textDelta', 'textDone'],
    ...['messageDone completed', 'runStepDone completed', ...ofRun, 'end'],
  ]);
  expect(code).toBe('print(1)');
  const [step] = await stream.finalRunSteps();
  expect(step?.step_details).toMatchObject({ tool_calls: [{ code_interpreter: { input: 'print(1)' } }] });
});

test('several messages are streamed one after the other', async () => {
  await t.engine.outcome(replies.commentary('I will look.', 'Here it is.'));
  const stream = client.beta.threads.createAndRunStream({ assistant_id, thread: { messages } });
  const texts = (await stream.finalMessages()).map(({ content: [part] }) =>
    part?.type === 'text' ? part.text.value : undefined,
  );
  expect(texts).toEqual(['I will look.', 'Here it is.']);
});

describe('a stream of a run that does not complete', () => {
  test('that is cut off ends incomplete', async () => {
    await t.engine.outcome({ status: 'incomplete', reason: 'max_output_tokens', text: 'Half a' });
    const events = await Array.fromAsync(await start());
    expect(typesOf(events).slice(-3)).toEqual([
      ...['thread.message.incomplete', 'thread.run.step.failed', 'thread.run.incomplete'],
    ]);
    const message = events.find(({ event }) => event === 'thread.message.incomplete')?.data;
    expect(message).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_tokens' } });
  });

  test('that fails ends failed', async () => {
    await t.engine.outcome({ status: 'failed', code: 'server_error', message: 'secret-canary' });
    const events = await Array.fromAsync(await start());
    const last = events.at(-1);
    expect(last?.event).toBe('thread.run.failed');
    expect(JSON.stringify(events)).not.toContain('canary');
  });

  test('that was refused at once ends failed', async () => {
    await t.engine.refuseCreate('content_filter');
    const events = await Array.fromAsync(await start());
    expect(typesOf(events)).toEqual([...runEvents.slice(0, 3), 'thread.run.failed']);
  });

  test('that is cancelled ends cancelled', async () => {
    await t.engine.outcome({ status: 'never' });
    const events: Event[] = [];
    for await (const event of await start()) {
      events.push(event);
      if (event.event !== 'thread.run.in_progress') continue;
      const { id, thread_id } = event.data;
      await client.beta.threads.runs.cancel(id, { thread_id });
    }
    expect(typesOf(events)).toEqual([...runEvents, 'thread.run.cancelling', 'thread.run.cancelled']);
  });

  test('whose thread is deleted ends with an error', async () => {
    await t.engine.outcome({ status: 'never' });
    const read = async () => {
      for await (const event of await start()) {
        if (event.event === 'thread.run.in_progress') {
          await client.beta.threads.delete(event.data.thread_id);
        }
      }
    };
    expect((await failureOf(read())).code).toBe('stream_closed');
  });
});

test('a stream that the client leaves does not end its run', async () => {
  await t.engine.timing({ runMs: 1_500 });
  const stream = await start();
  let ids = { id: '', thread_id: '' };
  for await (const event of stream) {
    if (event.event !== 'thread.run.in_progress') continue;
    ids = event.data;
    break;
  }
  await t.idle();
  const ended = await client.beta.threads.runs.poll(
    ids.id,
    { thread_id: ids.thread_id },
    { pollIntervalMs: 50 },
  );
  expect(ended.status).toBe('completed');
});

test('a run is followed on both faces at once', async () => {
  await t.engine.timing({ queueMs: 300, runMs: 1_500 });
  const deltas: string[] = [];
  let projectEvents: Promise<string> | undefined;
  for await (const event of await start()) {
    if (event.event === 'thread.run.created') {
      const { id, thread_id } = event.data;
      const path = `projects/${t.projectId}/threads/${thread_id}/runs/${id}/events`;
      projectEvents = t.call(path).then(({ text }) => text);
    }
    if (event.event === 'thread.message.delta') {
      const [part] = event.data.delta.content ?? [];
      if (part?.type === 'text') deltas.push(part.text?.value ?? '');
    }
  }
  const text = [...((await projectEvents) ?? '').matchAll(/^data: (.*"delta".*)$/gm)]
    .map(([, data = '']) => JSON.parse(data).delta)
    .join('');
  // The project API has no markers of citations in the text.
  expect(text).toBe(deltas.join('').replaceAll(/【0:\d+†source】/g, ''));
  expect(text).not.toBe('');
});

describe('with a short time limit', () => {
  test('a stream says that it ends before its run', async () => {
    const token = await t.issuer.sign({
      projects: [t.projectId],
      exp: Math.floor(Date.now() / 1000) + 4,
    });
    const brief = client.withOptions({ apiKey: token });
    await t.engine.outcome({ status: 'never' });
    const read = async () => {
      const params = { assistant_id, thread: { messages }, stream: true } as const;
      for await (const _event of await brief.beta.threads.createAndRun(params)) await wait(0);
    };
    expect((await failureOf(read())).code).toBe('stream_timeout');
  });
});
