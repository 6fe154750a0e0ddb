import { describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { engineIds, stateOf, visible } from '../support/projectState.ts';
import { answersTo, startWaitingRun, submit } from '../support/toolRounds.ts';
import { useService } from '../support/useService.ts';

const t = useService();

const stepsOf = (run: string) => t.call(`${run}/steps`);
const typesOf = ({ steps }: { steps: { type: string }[] }) => steps.map(({ type }) => type);

describe('the steps of a run', () => {
  test('are its search, with queries and files found, and its reply', async () => {
    const { thread, run } = await t.startRun();
    const finished = await t.finish(run);
    const { status, body } = await stepsOf(run);
    expect(status).toBe(200);
    const { messages } = (await t.call(thread)).body;
    expect(body.steps).toEqual([
      {
        ...{ stepId: expect.stringMatching(/^step_/), type: 'file_search', status: 'completed' },
        queries: ['Explain the database schema'],
        files: expect.arrayContaining([{ filename: 'database-schema.md', score: expect.any(Number) }]),
        ...{ startedAt: expect.any(String), completedAt: expect.any(String) },
      },
      {
        ...{ stepId: expect.stringMatching(/^step_/), type: 'message', status: 'completed' },
        ...{ messageId: messages[1].messageId, commentary: false },
        ...{ startedAt: expect.any(String), completedAt: expect.any(String) },
      },
    ]);
    for (const { startedAt, completedAt } of body.steps) {
      expect(startedAt <= completedAt && completedAt <= finished.body.completedAt).toBe(true);
    }
  });

  test('are the same each time, and have no id of the engine', async () => {
    const { run } = await t.startRun();
    await t.finish(run);
    const response = await stepsOf(run);
    expect((await stepsOf(run)).body).toEqual(response.body);
    const ids = engineIds(await stateOf(t.engine, t.projectId));
    expect(ids.filter((id) => visible(response).includes(id))).toEqual([]);
    expect(response.text).not.toMatch(/\b(conv|resp|fs|file|cntr)_[0-9a-f]{8}/);
  });

  test('are those of all its rounds', async () => {
    const { run, action } = await startWaitingRun(t);
    const waiting = (await stepsOf(run)).body;
    expect(typesOf(waiting)).toEqual(['function']);
    const [call] = action.toolCalls;
    expect(waiting.steps[0]).toMatchObject({
      ...{ toolCallId: call?.toolCallId, name: call?.name, arguments: call?.arguments },
    });
    await submit(t, run, answersTo(action));
    await t.finish(run);
    const { steps } = (await stepsOf(run)).body;
    expect(steps[0]).toEqual(waiting.steps[0]);
    expect(steps.at(-1)).toMatchObject({ type: 'message', status: 'completed' });
  });

  test('are commentary, searches of the web and calls of an MCP server too, but no reasoning', async () => {
    await t.engine.outcome(
      replies.items(
        { type: 'reasoning', summary: ['secret thoughts'] },
        { type: 'message', phase: 'commentary', content: [{ type: 'output_text', text: 'I look.' }] },
        { type: 'web_search_call', action: { type: 'search', query: 'weather', queries: ['weather'] } },
        { type: 'mcp_list_tools', server_label: 'crm', tools: [{ name: 'find', input_schema: {} }] },
        ...[{ output: 'Found.' }, { error: 'no such customer' }].map(
          (end) =>
            ({ type: 'mcp_call', server_label: 'crm', name: 'find', arguments: '{}', ...end }) as const,
        ),
        { type: 'message', content: [{ type: 'output_text', text: 'Done.' }] },
      ),
    );
    const { run } = await t.startRun();
    await t.finish(run);
    const { body, text } = await stepsOf(run);
    expect(body.steps).toMatchObject([
      { type: 'message', commentary: true },
      { type: 'web_search', queries: ['weather'], urls: [] },
      { type: 'mcp_list_tools', server: 'crm', tools: ['find'] },
      {
        type: 'mcp_call',
        server: 'crm',
        tool: 'find',
        arguments: '{}',
        output: 'Found.',
        status: 'completed',
      },
      { type: 'mcp_call', status: 'failed', output: null },
      { type: 'message', commentary: false },
    ]);
    expect(text).not.toContain('secret');
  });

  test('are none before the run was started, and while the engine does not show it yet', async () => {
    await t.engine.outcome({ status: 'never' });
    const { run } = await t.startRun();
    expect((await stepsOf(run)).body).toEqual({ steps: [] });
    await t.engine.forget();
    expect((await stepsOf(run)).body).toEqual({ steps: [] });
    await t.engine.refuseCreate('content_filter');
    const refused = await t.startRun();
    expect((await stepsOf(refused.run)).body).toEqual({ steps: [] });
  });

  test('are gone when the engine has forgotten the run', async () => {
    const { run } = await t.startRun();
    await t.finish(run);
    await t.engine.forget();
    const { status, body } = await stepsOf(run);
    expect([status, body]).toEqual([
      410,
      { message: 'The steps of the run are no longer available', code: 'steps_expired' },
    ]);
  });

  test.each([
    [429, 429, 'rate_limited'],
    [500, 503, 'unavailable'],
    [401, 500, 'internal_error'],
  ])('cannot be read while the engine answers %i', async (engineStatus, status, code) => {
    const { run } = await t.startRun();
    await t.finish(run);
    const fault = { kind: 'status', status: engineStatus, message: 'secret detail' };
    await t.engine.fault({ method: 'GET', path: '/v1/responses' }, fault);
    const response = await stepsOf(run);
    expect([response.status, response.body.code]).toEqual([status, code]);
    expect(response.text).not.toContain('secret');
  });
});
