import { describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { idOf } from '../support/paths.ts';
import { rowsOf } from '../support/table.ts';
import {
  aCall,
  answersTo,
  roundsOf,
  startWaitingRun,
  submit,
  threeCalls,
  waitForAction,
} from '../support/toolRounds.ts';
import { question, useService } from '../support/useService.ts';

const t = useService();

const replyOf = async (thread: string): Promise<string> =>
  (await t.call(thread)).body.messages.at(-1).content;

describe('a run whose reply needs a function', () => {
  test('waits, goes on with the outputs under the same id, and ends', async () => {
    const { thread, run, runId, action } = await startWaitingRun(t);
    expect(action).toEqual({
      toolCalls: [
        {
          toolCallId: expect.stringMatching(/^call_[\w-]+$/),
          name: 'get_order',
          arguments: '{"orderId":"A-17"}',
        },
      ],
      approvals: [],
    });
    const waiting = await t.call(run);
    expect(waiting.body).toMatchObject({ status: 'requires_action', completedAt: null });
    expect(waiting.body.startedAt).not.toBeNull();

    const submitted = await submit(t, run, answersTo(action));
    expect(submitted.status).toBe(200);
    expect(submitted.body).toMatchObject({ runId, status: 'queued', expiresAt: waiting.body.expiresAt });
    expect(submitted.body.requiredAction).toBeUndefined();
    expect(submitted.headers.get('Idempotency-Replayed')).toBeNull();

    const { body } = await t.finish(run);
    expect(body).toMatchObject({ runId, status: 'completed' });
    expect(await replyOf(thread)).toContain('shipped');
    expect((await t.call(thread)).body.activeRunId).toBeNull();
    const rounds = await roundsOf(t, run);
    expect(rounds.map(({ inputText }) => inputText)).toEqual([question.message, '']);
    expect(rounds[1]?.input).toEqual([
      expect.objectContaining({ type: 'function_call_output', output: 'shipped' }),
    ]);
  });

  test('adds up the usage of its rounds, each once', async () => {
    const { run, action } = await startWaitingRun(t);
    const { usage: first } = (await t.call(run)).body;
    await submit(t, run, answersTo(action));
    const { usage: all } = (await t.finish(run)).body;
    const response = (id: string) =>
      fetch(`${t.engine.url}/responses/${id}`, { headers: { Authorization: 'Bearer x' } }).then((response) =>
        response.json(),
      ) as Promise<{ usage: { input_tokens: number; output_tokens: number; total_tokens: number } }>;
    const [one, two] = await Promise.all((await roundsOf(t, run)).map(({ id }) => response(id)));
    expect(first.totalTokens).toBe(one?.usage.total_tokens);
    expect(all).toEqual({
      inputTokens: (one?.usage.input_tokens ?? 0) + (two?.usage.input_tokens ?? 0),
      outputTokens: (one?.usage.output_tokens ?? 0) + (two?.usage.output_tokens ?? 0),
      totalTokens: (one?.usage.total_tokens ?? 0) + (two?.usage.total_tokens ?? 0),
    });
  });

  test('keeps the instructions of its create in every round, and the service does not store them', async () => {
    await t.engine.outcome(aCall);
    const body = { ...question, instructions: 'Mind the canary.' };
    const { run } = await t.startRun(undefined, { body });
    await submit(t, run, answersTo(await waitForAction(t, run)));
    await t.finish(run);
    const [first, second] = await roundsOf(t, run);
    expect(first?.instructions).toBe('Assistant instructions.\n\nMind the canary.');
    expect(second?.instructions).toBe(first?.instructions);
    expect(second).toMatchObject({ model: first?.model, metadata: first?.metadata, tools: first?.tools });
    expect(JSON.stringify(await rowsOf(t.projectId))).not.toContain('canary');
  });

  test('can wait several times', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.outcome(aCall);
    await submit(t, run, answersTo(action));
    const second = await waitForAction(t, run);
    expect(second.toolCalls[0]?.toolCallId).not.toBe(action.toolCalls[0]?.toolCallId);
    await submit(t, run, answersTo(second));
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await roundsOf(t, run)).toHaveLength(3);
  });

  test('costs the engine one call a round, and the store a claim and a record', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.reset();
    t.store.reset();
    await submit(t, run, answersTo(action));
    expect(await t.engine.calls()).toEqual(['POST /v1/responses']);
    expect(t.store.roundTrips).toEqual(['read', 'read', 'merge', 'merge']);
  });

  test('asks the engine nothing while it waits, and returns a wait at once', async () => {
    const { run } = await startWaitingRun(t);
    await t.engine.reset();
    expect((await t.call(`${run}?wait=60`)).body.status).toBe('requires_action');
    expect((await t.call(run)).body.status).toBe('requires_action');
    expect(await t.engine.calls()).toEqual([]);
  });

  test('ends a wait that began before', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 700 });
    await t.engine.outcome(aCall);
    const { run } = await t.startRun();
    let { body } = await t.call(`${run}?wait=20`);
    while (body.status === 'in_progress') ({ body } = await t.call(`${run}?wait=20`));
    expect(body.requiredAction.toolCalls).toHaveLength(1);
    await submit(t, run, answersTo(body.requiredAction));
    ({ body } = await t.call(`${run}?wait=20`));
    while (body.status === 'in_progress') ({ body } = await t.call(`${run}?wait=20`));
    expect(body.status).toBe('completed');
  });

  test('is listed with its status only, also when asked for', async () => {
    const { thread, runId } = await startWaitingRun(t);
    for (const query of ['', '?status=requires_action']) {
      const { body } = await t.call(`${thread}/runs${query}`);
      expect(body.runs).toEqual([expect.objectContaining({ runId, status: 'requires_action' })]);
      expect(body.runs[0].requiredAction).toBeUndefined();
    }
    expect((await t.call(`${thread}/runs?status=in_progress`)).body.runs).toEqual([]);
  });

  test('keeps its thread busy', async () => {
    const { thread, runId } = await startWaitingRun(t);
    await t.engine.reset();
    expect((await t.createRun(thread)).body).toMatchObject({ code: 'thread_busy', activeRunId: runId });
    expect(await t.engine.calls()).toEqual([]);
  });

  test('has an ETag that changes when it goes on', async () => {
    const { run, action } = await startWaitingRun(t);
    const etag = (await t.call(run)).headers.get('ETag') ?? '';
    const headers = { 'If-None-Match': etag };
    expect((await t.call(run, { headers })).status).toBe(304);
    await submit(t, run, answersTo(action));
    expect((await t.call(run, { headers })).status).toBe(200);
  });
});

describe('approvals', () => {
  const anApproval = replies.approvalRequest('delete_contact', { id: 'C-4' });

  test('name server, tool and arguments; the tool is called once it is approved', async () => {
    const { thread, run, action } = await startWaitingRun(t, { outcome: anApproval });
    expect(action).toEqual({
      toolCalls: [],
      approvals: [
        {
          approvalId: expect.stringMatching(/^appr_[\w-]+$/),
          server: 'test',
          tool: 'delete_contact',
          arguments: '{"id":"C-4"}',
        },
      ],
    });
    await submit(t, run, answersTo(action));
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await replyOf(thread)).toContain('delete_contact');
    const [, second] = await roundsOf(t, run);
    expect(second?.output.map(({ type }) => type)).toContain('mcp_call');
  });

  test('can be denied, and the model is told why', async () => {
    const { thread, run, action } = await startWaitingRun(t, { outcome: anApproval });
    const approvals = action.approvals.map(({ approvalId }) => ({
      approvalId,
      approve: false,
      reason: 'Only administrators may do that.',
    }));
    await submit(t, run, { approvals });
    await t.finish(run);
    expect(await replyOf(thread)).toContain('Only administrators may do that.');
    const [, second] = await roundsOf(t, run);
    expect(second?.output.map(({ type }) => type)).not.toContain('mcp_call');
  });

  test('travel together with the outputs of functions', async () => {
    const { run, action } = await startWaitingRun(t, { outcome: threeCalls });
    expect([action.toolCalls.length, action.approvals.length]).toEqual([2, 1]);
    expect((await submit(t, run, answersTo(action))).status).toBe(200);
    expect((await t.finish(run)).body.status).toBe('completed');
    const [, second] = await roundsOf(t, run);
    expect(second?.input.map(({ type }) => type)).toEqual([
      'function_call_output',
      'function_call_output',
      'mcp_approval_response',
    ]);
  });
});

describe('outputs that do not match', () => {
  const refuse = async (run: string, body: unknown) => {
    await t.engine.reset();
    const { status, body: problem } = await submit(t, run, body);
    expect(status).toBe(400);
    expect(await t.engine.calls()).toEqual([]);
    return problem.errors;
  };

  test('are refused by field: missing, unknown and doubled ones', async () => {
    const { run, action } = await startWaitingRun(t, { outcome: threeCalls });
    const all = answersTo(action);
    const [one, two] = all.toolOutputs;
    const [approval] = all.approvals;
    expect(await refuse(run, {})).toEqual({
      ToolOutputs: [
        `The field ToolOutputs must have an output for each call. Missing: ${one?.toolCallId}, ${two?.toolCallId}.`,
      ],
      Approvals: [
        `The field Approvals must have a decision on each request. Missing: ${approval?.approvalId}.`,
      ],
    });
    expect(Object.keys(await refuse(run, { ...all, toolOutputs: [one] }))).toEqual(['ToolOutputs']);
    expect(await refuse(run, { ...all, toolOutputs: [one, two, { ...one, output: 'x' }] })).toEqual({
      'ToolOutputs[2].ToolCallId': [
        'The field ToolOutputs[2].ToolCallId must not repeat the toolCallId of an earlier item.',
      ],
    });
    const unknown = { toolCallId: 'call_nosuch', output: '' };
    expect(await refuse(run, { ...all, toolOutputs: [one, two, unknown] })).toEqual({
      'ToolOutputs[2].ToolCallId': [
        'The field ToolOutputs[2].ToolCallId must be the toolCallId of a call that the run waits for.',
      ],
    });
    // Neither kind of id is good for the other.
    const mixed = { approvalId: one?.toolCallId, approve: true };
    expect(Object.keys(await refuse(run, { ...all, approvals: [approval, mixed] }))).toEqual([
      'Approvals[1].ApprovalId',
    ]);
    expect((await t.call(run)).body.status).toBe('requires_action');
    expect((await submit(t, run, all)).status).toBe(200);
  });

  test('are refused with the ids of an earlier round, another run or another thread', async () => {
    const other = await startWaitingRun(t);
    const { run, action } = await startWaitingRun(t);
    const foreign = answersTo(other.action);
    expect(Object.keys(await refuse(run, foreign))).toEqual(['ToolOutputs[0].ToolCallId', 'ToolOutputs']);
    await t.engine.outcome(aCall);
    await submit(t, run, answersTo(action));
    await waitForAction(t, run);
    expect(Object.keys(await refuse(run, answersTo(action, 'other')))).toEqual([
      'ToolOutputs[0].ToolCallId',
      'ToolOutputs',
    ]);
  });

  test.each<[body: unknown, fields: string[]]>([
    ['{', ['$']],
    ['[]', ['$']],
    [{ toolOutputs: {} }, ['ToolOutputs']],
    [{ toolOutputs: [{ toolCallId: 'call_x' }] }, ['ToolOutputs[0].Output']],
    [
      { toolOutputs: [{ toolCallId: 7, output: null }] },
      ['ToolOutputs[0].ToolCallId', 'ToolOutputs[0].Output'],
    ],
    [{ approvals: [{ approvalId: 'appr_x', approve: 'yes' }] }, ['Approvals[0].Approve']],
    [
      { approvals: [{ approvalId: 'appr_x', approve: true, reason: 'x'.repeat(2_001) }] },
      ['Approvals[0].Reason'],
    ],
    [{ toolOutputs: [{ toolCallId: 'call_x', output: '\ud800' }] }, ['ToolOutputs[0].Output']],
  ])('are refused for their form: %#', async (body, fields) => {
    const path = `projects/${t.projectId}/threads/thread_none/runs/run_none`;
    const { status, body: problem } = await submit(t, path, body);
    expect([status, Object.keys(problem.errors)]).toEqual([400, fields]);
  });
});

describe('the size of outputs', () => {
  const emoji = '😀';

  test.each([
    ['ASCII', 'x', (text: string) => text],
    ['three bytes each', '漢', (text: string) => text],
    ['surrogate pairs, escaped', emoji, (text: string) => text.replaceAll(emoji, String.raw`\ud83d\ude00`)],
  ])('may be 512,000 characters together: %s', async (_name, character, encode) => {
    const { run, action } = await startWaitingRun(t, { outcome: threeCalls });
    const all = answersTo(action, character.repeat(256_000));
    const response = await submit(t, run, encode(JSON.stringify(all)));
    expect(response.status).toBe(200);
    const [, second] = await roundsOf(t, run);
    const lengths = second?.input.flatMap((item) =>
      item.type === 'function_call_output' ? [...String(item.output)].length : [],
    );
    expect(lengths).toEqual([256_000, 256_000]);
  });

  test('may not be more', async () => {
    const { run, action } = await startWaitingRun(t, { outcome: threeCalls });
    const all = answersTo(action, 'x'.repeat(256_001));
    const { status, body } = await submit(t, run, all);
    expect([status, body.errors]).toEqual([
      400,
      { ToolOutputs: ['The field ToolOutputs must have outputs of at most 512000 characters together.'] },
    ]);
    const large = await submit(t, run, { toolOutputs: [], other: 'x'.repeat(7_000_000) });
    expect([large.status, large.body.message]).toEqual([413, 'The request body is larger than 6.5 MiB']);
    expect((await t.call(run)).body.status).toBe('requires_action');
  });
});

describe('the same outputs again', () => {
  test('give the run as it is by then, and submit nothing', async () => {
    const { run, action } = await startWaitingRun(t, { outcome: threeCalls });
    const all = answersTo(action);
    const first = await submit(t, run, all);
    const during = await submit(t, run, { ...all, toolOutputs: all.toolOutputs.toReversed() });
    expect(during.body).toEqual(first.body);
    await t.finish(run);
    const after = await submit(t, run, all);
    expect(after.body).toEqual((await t.call(run)).body);
    for (const replayed of [during, after]) {
      expect([replayed.status, replayed.headers.get('Idempotency-Replayed')]).toEqual([200, 'true']);
    }
    expect(await roundsOf(t, run)).toHaveLength(2);
  });

  test('give what the run waits for when it waits again', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.outcome(aCall);
    await submit(t, run, answersTo(action));
    const second = await waitForAction(t, run);
    const replayed = await submit(t, run, answersTo(action));
    expect(replayed.body).toMatchObject({ status: 'requires_action', requiredAction: second });
  });

  test.each([2, 20])('%i at once are submitted once', async (count) => {
    const { run, action } = await startWaitingRun(t);
    const responses = await Promise.all(
      Array.from({ length: count }, () => submit(t, run, answersTo(action))),
    );
    expect(responses.map(({ status }) => status)).toEqual(Array(count).fill(200));
    expect(responses.filter(({ headers }) => headers.get('Idempotency-Replayed') === null)).toHaveLength(1);
    expect(await roundsOf(t, run)).toHaveLength(2);
  });
});

describe('other outputs', () => {
  test('are 409 when the run does not wait any more, or waits for nothing', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.outcome({ status: 'never' });
    await submit(t, run, answersTo(action));
    const other = await submit(t, run, answersTo(action, 'other'));
    const conflict = { message: 'Run does not wait for these outputs', code: 'run_not_waiting' };
    expect([other.status, other.body]).toEqual([409, conflict]);
    await t.call(`${run}/cancel`, { method: 'POST' });
    expect((await submit(t, run, answersTo(action, 'other'))).body).toEqual(conflict);

    const { run: plain } = await t.startRun();
    expect((await submit(t, plain, { toolOutputs: [] })).body).toEqual(conflict);
  });

  test('at once: one submission wins, and the others are told', async () => {
    const { run, action } = await startWaitingRun(t);
    const responses = await Promise.all(
      Array.from({ length: 10 }, (_, index) => submit(t, run, answersTo(action, `output ${index}`))),
    );
    expect(responses.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)]);
    const [, second, ...more] = await roundsOf(t, run);
    expect(more).toEqual([]);
    const winner = responses.findIndex(({ status }) => status === 200);
    expect(JSON.stringify(second?.input)).toContain(`output ${winner}`);
  });
});

test('the ids of calls are those of the thread, and never the ids of the engine', async () => {
  const { run, action } = await startWaitingRun(t, { outcome: threeCalls });
  const [first] = await roundsOf(t, run);
  const ids = first?.output.flatMap((item) => [
    'call_id' in item ? String(item.call_id) : '',
    String(item.id),
  ]);
  const shown = JSON.stringify(action);
  for (const id of ids?.filter(Boolean) ?? []) expect(shown).not.toContain(id);
  expect(shown).not.toContain(idOf(run));
});
