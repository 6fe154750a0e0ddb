import { describe, expect, test } from '@jest/globals';
import type { TestResponse } from '../support/service.ts';
import { question, useService } from '../support/useService.ts';

const t = useService();

/** The log's line about a request, without what differs from request to request. */
function lineOf({ headers }: TestResponse): Record<string, unknown> {
  const requestId = headers.get('X-Request-Id') ?? 'none';
  const line = t
    .log()
    .split('\n')
    .find((text) => text.includes(requestId));
  const json = JSON.parse(line?.slice(line.indexOf('{')) ?? '{}');
  for (const name of ['requestId', 'durationMs', 'level']) delete json[name];
  return json;
}

const runs = '/api/projects/{projectId}/threads/{threadId}/runs';

test('a request is logged with its method, the pattern of its path, and the ids of project, thread and run', async () => {
  const thread = await t.openThread();
  const [, projectId, , threadId] = thread.split('/');
  const created = await t.createRun(thread);
  const { runId } = created.body;
  const ids = { projectId, threadId, runId };
  expect(lineOf(created)).toEqual({ function: 'createRun', method: 'POST', path: runs, ...ids, status: 201 });
  const path = `${runs}/{runId}`;
  const found = await t.call(`${thread}/runs/${runId}`);
  expect(lineOf(found)).toEqual({ function: 'getRun', method: 'GET', path, ...ids, status: 200 });
  const opened = await t.call(`projects/${projectId}/threads`, { method: 'POST' });
  expect(lineOf(opened)).toMatchObject({
    path: '/api/projects/{projectId}/threads',
    threadId: opened.body.threadId,
  });
});

test('ids that nothing has confirmed are not logged', async () => {
  const response = await t.call(`projects/canary-project/threads/thread_canary`, { token: null });
  expect(lineOf(response)).toMatchObject({ method: 'GET', status: 401 });
  expect(t.log()).not.toContain('canary');
});

test('a 403 tells its reason to the log, and not to the client', async () => {
  const denied = async (projectId: string, projects: string[]) => {
    const response = await t.call(`projects/${projectId}/threads`, {
      token: await t.issuer.sign({ projects }),
    });
    expect([response.status, response.body]).toEqual([
      403,
      { message: 'Access denied to project', code: 'access_denied' },
    ]);
    const { reason, projectId: logged } = lineOf(response);
    return [reason, logged];
  };
  const unknown = crypto.randomUUID();
  expect(await denied('no%20id', ['no id'])).toEqual(['project_id_malformed', undefined]);
  expect(await denied(unknown, [unknown])).toEqual(['project_unknown', undefined]);
  expect(await denied(t.projectId, [])).toEqual(['caller_not_granted', t.projectId]);
});

test('an assistant that is not configured is named in the log, and is an internal error to the client', async () => {
  const { projectId } = await t.addProject({ assistantId: 'asst_gone' });
  const response = await t.createRun(await t.openThread(projectId));
  expect([response.status, response.body.code]).toEqual([500, 'internal_error']);
  expect(response.text).not.toContain('asst_gone');
  expect(lineOf(response)).toMatchObject({
    projectId,
    code: 'internal_error',
    reason: 'assistant_not_configured',
    assistantId: 'asst_gone',
  });
});

test.each<[string, object, object]>([
  ['a misspelt one', { instruction: 'Be brief.' }, { ignoredProperties: 1, perhapsMeant: ['instructions'] }],
  ['another case', { INSTRUCTIONS: 'Be brief.' }, { ignoredProperties: 1, perhapsMeant: ['instructions'] }],
  ['others', { canary_1: 1, canary_2: 2 }, { ignoredProperties: 2 }],
])(
  'a create with an unknown property succeeds, and the log says what was ignored: %s',
  async (_name, more, noted) => {
    const response = await t.createRun(await t.openThread(), { ...question, ...more });
    expect(response.status).toBe(201);
    const { ignoredProperties, perhapsMeant } = lineOf(response);
    expect({ ignoredProperties, perhapsMeant }).toEqual(noted);
    expect(t.log()).not.toContain('canary');
  },
);

describe('a create of a run', () => {
  /** Creates a project with vector stores of its own, besides the one of its assistant. */
  async function openProject(count: number) {
    const vectorStoreIds: string[] = [];
    for (let index = 0; index < count; index++) {
      const created = await fetch(`${t.engine.url}/vector_stores`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: 'Bearer key' },
        body: '{}',
      });
      vectorStoreIds.push(((await created.json()) as { id: string }).id);
    }
    return t.addProject({ vectorStoreIds });
  }

  test('says how many vector stores its search leaves out', async () => {
    const { projectId } = await openProject(3);
    const thread = await t.openThread(projectId);
    const creates = [
      await t.createRun(thread),
      await t.call(`projects/${projectId}/threads`, { method: 'POST', body: question }),
    ];
    for (const created of creates) {
      expect(lineOf(created)).toMatchObject({ status: 201, vectorStoresLeftOut: 2 });
    }
  });

  test('says nothing of vector stores if its search covers all', async () => {
    const { projectId } = await openProject(1);
    const created = await t.createRun(await t.openThread(projectId));
    expect(created.status).toBe(201);
    expect(lineOf(created)).not.toHaveProperty('vectorStoresLeftOut');
  });
});

test('a create without an unknown property says nothing of ignored ones', async () => {
  const response = await t.createRun(await t.openThread(), { ...question, instructions: null });
  expect(lineOf(response)).not.toHaveProperty('ignoredProperties');
});
