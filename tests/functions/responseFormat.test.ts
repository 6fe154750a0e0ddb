import { expect, test } from '@jest/globals';
import { rowsOf } from '../support/table.ts';
import { useService } from '../support/useService.ts';

const responseFormat = {
  ...{ type: 'json_schema', name: 'summary', strict: true },
  schema: {
    ...{ type: 'object', additionalProperties: false, required: ['title'] },
    properties: { title: { type: 'string' } },
  },
};
const assistant = { id: 'asst_test', name: 'Test', model: 'gpt-5-mini', instructions: 'Help.' };

const t = useService({ ASSISTANTS: JSON.stringify([{ ...assistant, responseFormat }]) });
const misconfigured = useService({
  ASSISTANTS: JSON.stringify([
    { ...assistant, responseFormat: { ...responseFormat, schema: { type: 'object', required: 'title' } } },
  ]),
});

test('an assistant asks the engine for replies in its format', async () => {
  const { run } = await t.startRun();
  await t.finish(run);
  const asked = await t.engineRunOf(run);
  const response = await fetch(`${t.engine.url}/responses/${asked?.id}`, {
    headers: { Authorization: 'Bearer test' },
  });
  expect(((await response.json()) as { text: object }).text).toMatchObject({ format: responseFormat });
});

test('an assistant whose format is no schema is found at start, before anything is called', async () => {
  await misconfigured.engine.reset();
  const response = await misconfigured.call(`projects/${misconfigured.projectId}/threads`, {
    method: 'POST',
  });
  expect([response.status, response.body.code]).toEqual([500, 'internal_error']);
  expect(misconfigured.log()).toContain('asst_test: responseFormat.schema must be a valid JSON Schema');
  expect(await misconfigured.engine.calls()).toEqual([]);
  expect(await rowsOf(misconfigured.projectId)).toEqual([]);
});
