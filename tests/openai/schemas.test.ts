import { beforeAll, describe, expect, test } from '@jest/globals';
import { toFile } from 'openai';
import { type Client, failureOf, openClient } from '../support/assistantsApi.ts';
import { useService } from '../support/useService.ts';

/* JSON Schemas that callers send, which may be anything. */

const t = useService();
let member: Client;
let editor: Client;
beforeAll(async () => {
  const { projectId } = await t.addProject({ members: ['member', 'eve'], editors: ['eve'] });
  member = await openClient(t, { projectId, claims: { sub: 'member' } });
  editor = await openClient(t, { projectId, claims: { sub: 'eve' } });
});

/** Sends a schema wherever one is accepted. */
const uses: [string, string, (schema: Record<string, unknown>) => Promise<unknown>][] = [
  [
    'the format of a run',
    'response_format.json_schema.schema',
    async (schema) => {
      const { id } = await member.beta.threads.create();
      const response_format = { type: 'json_schema' as const, json_schema: { name: 'x', schema } };
      return member.beta.threads.runs.create(id, { assistant_id: 'asst_test', response_format });
    },
  ],
  [
    'the tools of a run',
    'tools[0].function.parameters',
    async (parameters) => {
      const { id } = await editor.beta.threads.create();
      const tools = [{ type: 'function' as const, function: { name: 'f', parameters } }];
      return editor.beta.threads.runs.create(id, { assistant_id: 'asst_test', tools });
    },
  ],
  [
    'an assistant',
    'tools[0].function.parameters',
    (parameters) =>
      editor.beta.assistants.create({
        model: 'gpt-5-nano',
        tools: [{ type: 'function', function: { name: 'f', parameters } }],
      }),
  ],
];

const nested = (levels: number) => {
  let schema = {};
  for (let level = 0; level < levels; level++) schema = { type: 'object', properties: { a: schema } };
  return { type: 'object', ...schema };
};

describe.each(uses)('as %s', (_name, param, use) => {
  test.each([60, 1_000])('one of %i levels is refused by its name', async (levels) => {
    expect(await failureOf(use(nested(levels)))).toMatchObject({ status: 400, param, code: 'invalid_value' });
  });

  test('one with half a character is refused by its name', async () => {
    const schema = { type: 'object', properties: { a: { enum: ['\ud800'] } } };
    expect(await failureOf(use(schema))).toMatchObject({ status: 400, param, code: 'invalid_value' });
    const named = { type: 'object', properties: { '\udc00': {} } };
    expect(await failureOf(use(named))).toMatchObject({ status: 400, param, code: 'invalid_value' });
  });

  // Compiled, it would keep the worker busy for minutes.
  test('one of ten thousand properties is refused for its size', async () => {
    const property = { type: 'string', pattern: '^a+$' };
    const properties = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`p${index}`, property]),
    );
    const error = await failureOf(use({ type: 'object', properties }));
    expect(error).toMatchObject({ status: 400, code: 'array_above_max_length' });
  });

  test('one of 40 levels and 500 properties is accepted', async () => {
    const properties = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`p${index}`, { type: 'string', pattern: '^a+$' }]),
    );
    await use({ type: 'object', properties: { ...properties, a: nested(40) } });
  });
});

test('a run that could not keep the tools and files of its assistant opens no thread', async () => {
  const padding = 'x'.repeat(59_600);
  const parameters = { type: 'object', description: padding };
  const upload = async (index: number) =>
    (
      await editor.files.create({
        file: await toFile(Buffer.from('Hi'), `${index}.txt`),
        purpose: 'assistants',
      })
    ).id;
  const file_ids = await Promise.all(Array.from({ length: 10 }, (_, index) => upload(index)));
  const { id: assistant_id } = await editor.beta.assistants.create({
    model: 'gpt-5-nano',
    tools: [{ type: 'function', function: { name: 'f', parameters } }],
  });
  await t.engine.reset();
  const tool_resources = { code_interpreter: { file_ids } };
  const error = await failureOf(editor.beta.threads.createAndRun({ assistant_id, tool_resources }));
  expect(error).toMatchObject({ status: 400, param: 'tools' });
  expect(await t.engine.calls()).toEqual([]);
});

test('a body nested deeper than any package can write is refused as well', async () => {
  const depth = 100_000;
  const response = await fetch(`${t.url}/api/projects/${t.projectId}/openai/v1/threads`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${await t.issuer.sign({ projects: [t.projectId] })}` },
    body: `{"messages":${'['.repeat(depth)}${']'.repeat(depth)}}`,
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: 'messages[0]' } });
});
