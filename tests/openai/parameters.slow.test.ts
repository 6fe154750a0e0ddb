import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { forEachConcurrently } from '../../scripts/import/concurrently.ts';
import { type Client, checkedFetch, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { projectFolder } from '../support/process.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';
import { pathsOf } from '../support/wireSchemas.ts';

/*
 * No parameter is dropped in silence. Each that the package types is taken from a complete body, which must make a
 * difference to the object or to what the engine is asked; or is added to one, and refused by its name; or is listed in
 * docs/assistants-api.md as accepted without effect.
 */

const t = useService();
type Json = Record<string, unknown>;

/** Returns a body without the parameter at a path; undefined if it does not have it. */
function without(body: Json, path: string): Json | undefined {
  const copy = structuredClone(body);
  const remove = (value: unknown, [name = '', ...rest]: readonly string[]): boolean => {
    if (Array.isArray(value)) return value.some((item) => remove(item, [name, ...rest]));
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false;
    const parent = value as Json;
    return rest.length === 0 ? delete parent[name] : remove(parent[name], rest);
  };
  return remove(copy, path.replaceAll('[]', '').split('.')) ? copy : undefined;
}

/** Parameters that are refused, by the ends of their paths: a body with them. Those within them are refused with them. */
const refused: Readonly<Record<string, Json>> = {
  max_prompt_tokens: { max_prompt_tokens: 500 },
  'additional_messages[].metadata': {
    additional_messages: [{ role: 'user', content: 'Hello', metadata: { a: '1' } }],
  },
  'truncation_strategy.last_messages': { truncation_strategy: { type: 'auto', last_messages: 3 } },
  // Beside the ids of others; fileSearch.test.ts has them alone.
  'tool_resources.file_search.vector_stores': {
    tool_resources: { file_search: { vector_store_ids: ['vs_1'], vector_stores: [{}] } },
  },
};

/** Parameters that the documents list as accepted without effect: a body with them. */
const accepted: Readonly<Record<string, Json>> = {
  'truncation_strategy.type': { truncation_strategy: { type: 'auto' } },
  ranker: {
    tools: [
      {
        type: 'file_search',
        file_search: { ranking_options: { ranker: 'default_2024_08_21', score_threshold: 0.4 } },
      },
    ],
  },
  // Sent in the query.
  include: {},
};

/** The part of the documents that lists them. */
let documented = '';
let client: Client;
let engine: OpenAI;
let assistantId: string;
let fileId: string;
let otherId: string;
let imageId: string;
let storeId: string;
let otherStoreId: string;
beforeAll(async () => {
  const docs = await readFile(join(projectFolder, 'docs/assistants-api.md'), 'utf8');
  documented = /^## Parameters accepted without effect\n(.*?)^## /ms.exec(docs)?.[1] ?? '';
  const { projectId } = await t.addProject({ editors: ['eve'] });
  client = await openClient(t, { projectId, claims: { sub: 'eve', projects: [projectId] } });
  engine = new OpenAI({ baseURL: t.engine.url, apiKey: 'test' });
  const { assistants } = client.beta;
  assistantId = (
    await assistants.create({ model: 'gpt-5-nano', tools: tools.slice(2), instructions: 'Old.' })
  ).id;
  const upload = async (content: Buffer | string, name: string) =>
    (await client.files.create({ purpose: 'assistants', file: new File([content], name) })).id;
  fileId = await upload('a,b\n1,2', 'table.csv');
  otherId = await upload('c,d\n3,4', 'other.csv');
  storeId = (await client.vectorStores.create({})).id;
  otherStoreId = (await client.vectorStores.create({})).id;
  imageId = await upload(Buffer.from(png, 'base64'), 'image.png');
});

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const tools = [
  { type: 'code_interpreter' as const },
  {
    type: 'file_search' as const,
    file_search: { max_num_results: 7, ranking_options: { score_threshold: 0.4 } },
  },
  {
    type: 'function' as const,
    function: { name: 'get_weather', description: 'Weather', parameters: { type: 'object' }, strict: false },
  },
];
const response_format = {
  type: 'json_schema',
  json_schema: { name: 'place', description: 'A place', schema: { type: 'object' }, strict: false },
};
const resources = () => ({
  code_interpreter: { file_ids: [otherId] },
  file_search: { vector_store_ids: [storeId] },
});
const message = () => ({
  role: 'user',
  content: [
    { type: 'text', text: 'Hello' },
    { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
    { type: 'image_file', image_file: { file_id: imageId, detail: 'low' } },
  ],
  attachments: [{ file_id: fileId, tools: [{ type: 'code_interpreter' }] }],
  metadata: { a: '1' },
});
const sampling = { temperature: 0.2, top_p: 0.5, reasoning_effort: 'low' };
const assistant = () => ({
  ...{
    model: 'gpt-5-nano',
    name: 'Ada',
    description: 'Helps',
    instructions: 'Be kind.',
    metadata: { a: '1' },
  },
  ...{ tools, response_format, tool_resources: resources(), ...sampling },
});
const run = () => ({
  ...{ assistant_id: assistantId, instructions: 'Be brief.', model: 'gpt-5-mini', metadata: { a: '1' } },
  ...{ max_completion_tokens: 400, parallel_tool_calls: false, temperature: 0.2, top_p: 0.5 },
  ...{ tools, response_format, tool_choice: { type: 'function', function: { name: 'get_weather' } } },
});

/** Sends a request and returns its response. */
async function send(path: string, body?: Json) {
  const response = await checkedFetch(`${client.baseURL}/${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { Authorization: `Bearer ${client.apiKey}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('Content-Type')?.startsWith('application/json');
  return { status: response.status, body: isJson ? JSON.parse(text) : { stream: text.slice(0, 30) } };
}

/** Returns what the engine was asked for a run, and what its thread holds. */
async function askedFor(runId: string, threadId: string) {
  const isActive = async () => {
    const { body } = await send(`threads/${threadId}/runs/${runId}`);
    return body.status === 'queued' || body.status === 'in_progress';
  };
  await until('the run ends or waits', async () => !(await isActive()));
  const [round] = await t.engine.roundsOf(runId);
  const response = await engine.responses.retrieve(round?.id ?? '');
  const items = await engine.conversations.items.list(round?.conversation ?? '');
  const { model, instructions, tools: used, tool_choice, temperature, top_p, text, reasoning } = response;
  const { max_output_tokens, parallel_tool_calls } = response;
  return [
    ...[model, instructions, used, tool_choice, temperature, top_p, text, reasoning],
    ...[max_output_tokens, parallel_tool_calls, round?.input],
    items.data.filter((item) => item.type === 'message' && item.role === 'user'),
    (await send(`threads/${threadId}/messages`)).body.data?.map(({ metadata }: Json) => metadata),
  ];
}

const start = async (threadId: string, body: Json = {}) => {
  const { body: started } = await send(`threads/${threadId}/runs`, body);
  return askedFor(started.id, threadId);
};
const newThread = async () => (await send('threads', {})).body.id as string;

interface Case {
  /** Type of the parameters. */
  readonly type: string;
  /** A body with every parameter that is honoured. */
  readonly body: () => Json;
  /** Sends a body; returns the response, and a function that returns what came of it elsewhere. */
  readonly send: (body: Json) => Promise<{
    response: Awaited<ReturnType<typeof send>>;
    effects?: () => Promise<unknown>;
  }>;
}

const cases: Readonly<Record<string, Case>> = {
  'assistants.create': {
    type: 'AssistantCreateParams',
    body: assistant,
    send: async (body) => {
      const response = await send('assistants', body);
      return {
        response,
        effects: async () => start(await newThread(), { assistant_id: response.body.id }),
      };
    },
  },
  'assistants.update': {
    type: 'AssistantUpdateParams',
    body: assistant,
    send: async (body) => {
      const created = await send('assistants', { model: 'gpt-5-mini', name: 'Old' });
      const response = await send(`assistants/${created.body.id}`, body);
      return {
        response,
        effects: async () => start(await newThread(), { assistant_id: response.body.id }),
      };
    },
  },
  'threads.create': {
    type: 'ThreadCreateParams',
    body: () => ({ messages: [message()], metadata: { a: '1' }, tool_resources: resources() }),
    send: async (body) => {
      const response = await send('threads', body);
      return { response, effects: () => start(response.body.id) };
    },
  },
  'threads.update': {
    type: 'ThreadUpdateParams',
    body: () => ({ metadata: { a: '1' }, tool_resources: resources() }),
    send: async (body) => ({ response: await send(`threads/${await newThread()}`, body) }),
  },
  'threads.createAndRun': {
    type: 'ThreadCreateAndRunParamsBase',
    body: () => ({
      ...run(),
      thread: { messages: [message()], metadata: { a: '1' }, tool_resources: resources() },
      tool_resources: {
        code_interpreter: { file_ids: [imageId] },
        file_search: { vector_store_ids: [otherStoreId] },
      },
    }),
    send: async (body) => {
      const response = await send('threads/runs', body);
      const { id, thread_id } = response.body;
      return {
        response,
        effects: async () => [
          await askedFor(id, thread_id),
          (await send(`threads/${thread_id}`)).body.metadata,
          (await send(`threads/${thread_id}`)).body.tool_resources,
        ],
      };
    },
  },
  'messages.create': {
    type: 'MessageCreateParams',
    body: message,
    send: async (body) => {
      const threadId = await newThread();
      return { response: await send(`threads/${threadId}/messages`, body), effects: () => start(threadId) };
    },
  },
  'messages.update': {
    type: 'MessageUpdateParams',
    body: () => ({ metadata: { a: '1' } }),
    send: async (body) => {
      const threadId = await newThread();
      const { body: added } = await send(`threads/${threadId}/messages`, { role: 'user', content: 'Hello' });
      return { response: await send(`threads/${threadId}/messages/${added.id}`, body) };
    },
  },
  'runs.create': {
    type: 'RunCreateParamsBase',
    body: () => {
      const { metadata: _, ...added } = message();
      return {
        ...{ ...run(), additional_instructions: 'Be kind.', reasoning_effort: 'low' },
        additional_messages: [added],
      };
    },
    send: async (body) => {
      const threadId = await newThread();
      const response = await send(`threads/${threadId}/runs`, body);
      return { response, effects: () => askedFor(response.body.id, threadId) };
    },
  },
  'runs.update': {
    type: 'RunUpdateParams',
    body: () => ({ metadata: { a: '1' } }),
    send: async (body) => {
      const threadId = await newThread();
      const { body: started } = await send(`threads/${threadId}/runs`, {});
      return { response: await send(`threads/${threadId}/runs/${started.id}`, body) };
    },
  },
};

/** Describes what came of a request, without ids of single objects and times. */
const describeOutcome = (value: unknown): string =>
  JSON.stringify([value])
    .replace(/\b(thread|run|msg|resp|conv|item|req)_[\w-]+/g, '$1')
    .replace(/"id":"asst_[\w-]+"/g, '"id"')
    .replace(/"(\w+_at|createdAt|usage|status)":(\d{5,}|null|"\w+"|\{[^}]*\})/g, '"$1"');

describe.each(Object.entries(cases))('every parameter of %s', (_name, one) => {
  const paths = pathsOf(one.type);
  const endOf = (path: string, table: object) =>
    Object.keys(table).find(
      (end) => path === end || path.endsWith(`.${end}`) || path.startsWith(`${end}.`),
    ) ?? Object.keys(table).find((end) => path.includes(`.${end}.`) || path.includes(`${end}[]`));

  test('makes a difference, is refused by its name, or is documented to have no effect', async () => {
    const body = one.body();
    const complete = await one.send(body);
    expect(complete.response.status).toBe(200);
    const effects = describeOutcome(await complete.effects?.());
    /** The object tells most; the engine is asked only where it does not. */
    const isSame = async (other: Json) => {
      const outcome = await one.send(other);
      if (describeOutcome(outcome.response) !== describeOutcome(complete.response)) return false;
      return describeOutcome(await outcome.effects?.()) === effects;
    };
    expect(await isSame(body)).toBe(true);
    const judge = async (path: string): Promise<string | undefined> => {
      if (path === 'stream') {
        const { response } = await one.send({ ...body, stream: true });
        return response.body.stream ? undefined : 'does not stream';
      }
      const less = without(body, path);
      if (less) return (await isSame(less)) ? 'makes no difference' : undefined;
      const end = endOf(path, refused);
      if (end !== undefined) {
        // Within a thread that is created with its run.
        const nested = path.startsWith('thread.');
        const sample = nested ? { ...body, thread: refused[end] } : { ...body, ...refused[end] };
        const { response } = await one.send(sample);
        const { param = '' } = response.body.error ?? {};
        const named = end.replace('[]', '[0]');
        return response.status === 400 && param.endsWith(named) ? undefined : `is not refused, but ${param}`;
      }
      const known = endOf(path, accepted) ?? Object.keys(accepted).find((key) => key.startsWith(`${path}.`));
      // A parent of parameters that are judged by themselves.
      const isParent = paths.some(
        (other) => /^[.[]/.test(other.slice(path.length)) && other.startsWith(path),
      );
      if (known === undefined) return isParent ? undefined : 'is unknown here';
      expect(documented).toContain(known.split('.')[0]);
      const { response } = await one.send({ ...body, ...accepted[known] });
      return response.status === 200 ? undefined : `is not accepted, but ${response.status}`;
    };
    const verdicts: [string, string | undefined][] = [];
    await forEachConcurrently(paths, 8, async (path) => void verdicts.push([path, await judge(path)]));
    expect(verdicts.filter(([, verdict]) => verdict !== undefined)).toEqual([]);
  });
});

test('every parameter of submitToolOutputs makes a difference', async () => {
  expect(pathsOf('RunSubmitToolOutputsParamsBase').sort()).toEqual([
    ...['stream', 'tool_outputs', 'tool_outputs[].output', 'tool_outputs[].tool_call_id'],
  ]);
  const submit = async (change: (body: Json) => Json | undefined) => {
    await t.engine.outcome(replies.functionCall('get_weather', {}));
    const threadId = await newThread();
    const { body: started } = await send(`threads/${threadId}/runs`, { assistant_id: assistantId });
    const path = `threads/${threadId}/runs/${started.id}`;
    await until('the run waits', async () => (await send(path)).body.status === 'requires_action');
    const [call] = (await send(path)).body.required_action.submit_tool_outputs.tool_calls;
    const body = { tool_outputs: [{ tool_call_id: call.id, output: 'sunny' }], stream: false };
    const response = await send(`${path}/submit_tool_outputs`, change(body));
    const rounds = await t.engine.roundsOf(started.id);
    return [
      response.status,
      Boolean(response.body.stream),
      rounds.at(-1)?.input.map((item) => 'output' in item && item.output),
    ];
  };
  expect(await submit((body) => body)).toEqual([200, false, ['sunny']]);
  expect(await submit((body) => without(body, 'tool_outputs[].output'))).toEqual([200, false, ['']]);
  expect((await submit((body) => without(body, 'tool_outputs[].tool_call_id')))[0]).toBe(400);
  expect((await submit((body) => without(body, 'tool_outputs')))[0]).toBe(400);
  expect((await submit((body) => ({ ...body, stream: true })))[1]).toBe(true);
});

describe('every parameter of a list', () => {
  const samples: Record<string, string> = {
    limit: '5',
    order: 'asc',
    include: 'x',
    run_id: '',
    purpose: 'vision',
  };
  test.each([
    ['AssistantListParams', 'assistants'],
    ['FileListParams', 'files'],
    ['VectorStoreListParams', 'vector_stores'],
    ['MessageListParams', 'threads/T/messages'],
    ['RunListParams', 'threads/T/runs'],
    ['StepListParams', 'threads/T/runs/R/steps'],
    ['StepRetrieveParams', 'threads/T/runs/R/steps/step_none'],
  ])('of %s is known', async (type, path) => {
    const threadId = await newThread();
    const { body: started } = await send(`threads/${threadId}/runs`, {});
    const url = path.replace('T', threadId).replace('R', started.id);
    const names = pathsOf(type).filter((name) => !(name === 'run_id' && path.includes('R')));
    for (const name of names) {
      const sample = name === 'run_id' ? started.id : (samples[name] ?? 'x');
      const { body } = await send(`${url}?${name}=${sample}`);
      expect([name, body.error?.code]).not.toEqual([name, 'unknown_parameter']);
    }
  });
});
