import { beforeAll, describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { type Client, failureOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { pixel } from '../support/form.ts';
import { useService } from '../support/useService.ts';

/* What the steps of searches and of code show, listed and streamed. */

type Step = OpenAI.Beta.Threads.Runs.RunStep;
type ToolCall = OpenAI.Beta.Threads.Runs.ToolCall;

const t = useService();
let client: Client;
let stranger: Client;
let assistant_id: string;
/** The engine's id of a document. */
let documentId: string;
beforeAll(async () => {
  const { projectId } = await t.addProject({ editors: ['eve'] });
  client = await openClient(t, { projectId, claims: { sub: 'eve', projects: [projectId] } });
  stranger = await openClient(t);
  const tools = [{ type: 'code_interpreter' as const }];
  assistant_id = (await client.beta.assistants.create({ model: 'gpt-5-mini', tools })).id;
  await client.files.create({ file: await toFile(Buffer.from('Hello'), 'plan.md'), purpose: 'assistants' });
  documentId = (await t.engine.files()).at(-1)?.id ?? '';
});

const thread = { messages: [{ role: 'user' as const, content: 'Go' }] };
const foundContent = 'step_details.tool_calls[*].file_search.results[*].content' as const;

/** Streams a run; returns it and the tool calls that its helper put together. */
async function stream(outcome: Record<string, unknown>, assistant = assistant_id) {
  await t.engine.outcome(outcome);
  const helper = client.beta.threads.createAndRunStream({ assistant_id: assistant, thread });
  const calls: ToolCall[] = [];
  helper.on('toolCallDone', (call) => calls.push(call));
  const run = await helper.finalRun();
  expect(run.status).toBe('completed');
  const steps = (await helper.finalRunSteps()).map(withoutTimes);
  return { run, calls, steps };
}

const withoutTimes = ({ created_at: _, completed_at: __, ...step }: Step) => step;

/** Lists the steps of a run, oldest first, and checks that each is the same by itself. */
async function listed(
  { id: run_id, thread_id }: OpenAI.Beta.Threads.Run,
  include: (typeof foundContent)[] = [],
) {
  const { steps } = client.beta.threads.runs;
  const { data } = await steps.list(run_id, { thread_id, order: 'asc', include });
  for (const step of data) {
    expect(await steps.retrieve(step.id, { thread_id, run_id, include })).toEqual(step);
  }
  return data;
}

const callsOf = (steps: readonly Step[]) =>
  steps.flatMap(({ step_details }) => (step_details.type === 'tool_calls' ? step_details.tool_calls : []));

describe('a step of a code interpreter', () => {
  const outcome = replies.items(
    {
      type: 'code_interpreter_call',
      code: 'draw()',
      logs: '18\n',
      files: [
        { filename: 'chart.png', content: pixel.toString('base64') },
        { filename: 'data.csv', content: pixel.toString('base64') },
      ],
      images: ['chart.png'],
    },
    { type: 'code_interpreter_call', code: 'pass' },
    { type: 'message', content: [{ type: 'output_text', text: 'Done.' }] },
  );

  test('has its input, logs and images, the same when it is streamed', async () => {
    const { run, calls, steps } = await stream(outcome);
    const found = await listed(run);
    expect(callsOf(found)).toEqual([
      {
        id: expect.stringMatching(/^step_/),
        type: 'code_interpreter',
        code_interpreter: {
          input: 'draw()',
          outputs: [
            { type: 'logs', logs: '18\n' },
            { type: 'image', image: { file_id: expect.stringMatching(/^file_[\w-]+\.thread_\w+$/) } },
          ],
        },
      },
      { id: expect.any(String), type: 'code_interpreter', code_interpreter: { input: 'pass', outputs: [] } },
    ]);
    expect(steps).toMatchObject(found.map(withoutTimes));
    expect(calls).toMatchObject(callsOf(found));
  });

  test('names its images for those who have access to the project', async () => {
    const { run } = await stream(outcome);
    const [call] = callsOf(await listed(run));
    const outputs = call?.type === 'code_interpreter' ? call.code_interpreter.outputs : [];
    const [, image] = outputs;
    const id = image?.type === 'image' ? image.image.file_id : '';
    expect(Buffer.from(await (await client.files.content(id)).arrayBuffer())).toEqual(pixel);
    expect((await failureOf(stranger.files.content(id))).status).toBe(404);
  });

  test('is streamed without outputs where the stream of the engine is lost, and listed with them', async () => {
    await t.engine.spoilStream('created', { afterEvents: 2 });
    await t.engine.refuseResume(400, null);
    const { run, calls } = await stream(outcome);
    await t.engine.reset();
    expect(calls.map((call) => call.type === 'code_interpreter' && call.code_interpreter.input)).toEqual([
      'draw()',
      'pass',
    ]);
    const [call] = callsOf(await listed(run));
    expect(call).toMatchObject({ code_interpreter: { outputs: [{ logs: '18\n' }, { type: 'image' }] } });
  });
});

describe('a step of a file search', () => {
  const outcome = () =>
    replies.items(
      {
        type: 'file_search_call',
        queries: ['plan'],
        results: [
          { file_id: documentId, filename: 'plan.md', score: 0.7, text: 'Hello', attributes: {} },
          { file_id: documentId, filename: 'plan.md', score: 0.2, text: 'Goodbye', attributes: {} },
        ],
      },
      { type: 'message', content: [{ type: 'output_text', text: 'Done.' }] },
    );

  test('names the documents found, and has their text only if it is asked for', async () => {
    const { run } = await stream(outcome());
    const result = (score: number) => ({
      file_id: expect.stringMatching(/^file_/),
      file_name: 'plan.md',
      score,
    });
    const [call] = callsOf(await listed(run));
    const id = call?.type === 'file_search' ? (call.file_search.results?.[0]?.file_id ?? '') : '';
    expect(call).toEqual({
      ...{ id: expect.stringMatching(/^step_/), type: 'file_search' },
      file_search: { results: [result(0.7), result(0.2)] },
    });
    expect(callsOf(await listed(run, [foundContent]))).toMatchObject([
      {
        file_search: {
          results: [
            { ...result(0.7), content: [{ type: 'text', text: 'Hello' }] },
            { ...result(0.2), content: [{ type: 'text', text: 'Goodbye' }] },
          ],
        },
      },
    ]);
    expect((await client.files.retrieve(id)).filename).toBe('plan.md');
    expect((await failureOf(stranger.files.retrieve(id))).status).toBe(404);
    expect(JSON.stringify(await listed(run))).not.toContain(documentId);
  });

  test('is streamed without results', async () => {
    const { calls } = await stream(outcome());
    expect(calls).toMatchObject([{ type: 'file_search', file_search: { results: [] } }]);
  });
});
