import { beforeAll, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { type Client, failureOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { useService } from '../support/useService.ts';

/* Calls of MCP servers that wait for approval, in the words of Foundry's classic agents. */

const t = useService();
let client: Client;
beforeAll(async () => {
  client = await openClient(t);
});

type Submission = OpenAI.Beta.Threads.RunSubmitToolOutputsParamsNonStreaming;

interface ApprovalAction {
  type: string;
  submit_tool_outputs: { tool_calls: unknown[] };
  submit_tool_approval: { tool_calls: { id: string }[] };
}

const poll = { pollIntervalMs: 25 };
const start = { assistant_id: 'asst_test', thread: { messages: [{ role: 'user' as const, content: 'Hi' }] } };
const waiting = (action: unknown) => action as ApprovalAction;

test('a run that waits for approval says so, refuses mere outputs, and goes on with the decision', async () => {
  const { threads } = client.beta;
  for (const approve of [true, false]) {
    await t.engine.outcome(replies.approvalRequest('delete_contact', { id: 'C-4' }));
    const run = await threads.createAndRunPoll(start, poll);
    const { thread_id } = run;
    expect(run.status).toBe('requires_action');
    expect(run.required_action).toEqual({
      type: 'submit_tool_approval',
      submit_tool_outputs: { tool_calls: [] },
      submit_tool_approval: {
        tool_calls: [
          {
            id: expect.stringMatching(/^appr_/),
            ...{ type: 'mcp', server_label: 'test', name: 'delete_contact', arguments: '{"id":"C-4"}' },
          },
        ],
      },
    });
    const id = waiting(run.required_action).submit_tool_approval.tool_calls[0]?.id ?? '';
    const submit = (body: object) =>
      threads.runs.submitToolOutputs(run.id, { thread_id, ...body } as Submission);
    // What a program sends that knows functions only.
    const blind = await failureOf(submit({ tool_outputs: [] }));
    expect(blind).toMatchObject({ status: 400, param: 'tool_approvals' });
    expect(blind.message).toContain(id);
    expect(await failureOf(submit({}))).toMatchObject({ status: 400, param: 'tool_outputs' });
    const unknown = { tool_approvals: [{ tool_call_id: 'appr_x', approve }] };
    expect((await failureOf(submit(unknown))).param).toBe('tool_approvals[0].tool_call_id');
    const headers = { tool_approvals: [{ tool_call_id: id, approve, headers: { Authorization: 'x' } }] };
    expect((await failureOf(submit(headers))).param).toBe('tool_approvals[0].headers.Authorization');
    const decision = { tool_approvals: [{ tool_call_id: id, approve, headers: {} }] };
    expect((await submit(decision)).status).not.toBe('requires_action');
    expect((await threads.runs.poll(run.id, { thread_id }, poll)).status).toBe('completed');
    const sent = (await t.engine.runs()).at(-1)?.input;
    expect(sent).toMatchObject([{ type: 'mcp_approval_response', approve }]);
  }
});

test('a stream ends with the request, and goes on with the decision', async () => {
  await t.engine.outcome(replies.approvalRequest('delete_contact', { id: 'C-4' }));
  const run = await client.beta.threads.createAndRunStream(start).finalRun();
  expect(run.required_action?.type).toBe('submit_tool_approval');
  const id = waiting(run.required_action).submit_tool_approval.tool_calls[0]?.id ?? '';
  const body = {
    ...{ thread_id: run.thread_id, tool_outputs: [] },
    tool_approvals: [{ tool_call_id: id, approve: true }],
  };
  const stream = client.beta.threads.runs.submitToolOutputsStream(run.id, body);
  expect((await stream.finalRun()).status).toBe('completed');
});

test('functions and approvals that are asked for together are answered together', async () => {
  await t.engine.outcome(
    replies.items(
      { type: 'function_call', name: 'get_weather', arguments: '{}' },
      { type: 'mcp_approval_request', server_label: 'crm', name: 'delete', arguments: '{}' },
    ),
  );
  const run = await client.beta.threads.createAndRunPoll(start, poll);
  const { thread_id, required_action } = run;
  expect(required_action?.type).toBe('submit_tool_outputs');
  const call = required_action?.submit_tool_outputs.tool_calls[0]?.id ?? '';
  const approval = waiting(required_action).submit_tool_approval.tool_calls[0]?.id ?? '';
  const outputs = { thread_id, tool_outputs: [{ tool_call_id: call, output: 'sunny' }] };
  const { runs } = client.beta.threads;
  expect((await failureOf(runs.submitToolOutputs(run.id, outputs))).param).toBe('tool_approvals');
  const all = { ...outputs, tool_approvals: [{ tool_call_id: approval, approve: false }] };
  expect((await runs.submitToolOutputsAndPoll(run.id, all, poll)).status).toBe('completed');
});
