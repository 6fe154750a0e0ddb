import type { RequiredAction } from '../../shared/model/toolCalls.ts';
import { type EngineRun, replies } from './engine.ts';
import { idOf } from './paths.ts';
import type { TestResponse } from './service.ts';
import { rowsOf, threadsTable } from './table.ts';
import type { ServiceUnderTest, StartedRun } from './useService.ts';

/** A run that waits. */
export interface WaitingRun extends StartedRun {
  readonly action: RequiredAction;
}

/** Outcome of a response with a call of a function. */
export const aCall = replies.functionCall('get_order', { orderId: 'A-17' });

/** Outcome of a response with two calls of functions and a request for approval. */
export const threeCalls = replies.items(
  { type: 'function_call', name: 'get_order', arguments: '{"orderId":"A-17"}' },
  { type: 'function_call', name: 'get_order', arguments: '{"orderId":"B-4"}' },
  { type: 'mcp_approval_request', server_label: 'crm', name: 'delete_contact', arguments: '{"id":"C-4"}' },
);

/** Starts a run, on a new thread by default, and waits until it waits. */
export async function startWaitingRun(
  t: ServiceUnderTest,
  { outcome = aCall, thread }: { outcome?: Record<string, unknown>; thread?: string } = {},
): Promise<WaitingRun> {
  await t.engine.outcome(outcome);
  const started = await t.startRun(thread);
  return { ...started, action: await waitForAction(t, started.run) };
}

/** Waits until a run waits, and returns what for. */
export async function waitForAction(t: ServiceUnderTest, run: string): Promise<RequiredAction> {
  const { body, text } = await t.finish(run);
  if (body.status !== 'requires_action') throw new Error(`the run does not wait: ${text}`);
  return body.requiredAction;
}

/** Returns a body that answers everything. */
export const answersTo = ({ toolCalls, approvals }: RequiredAction, output = 'shipped') => ({
  toolOutputs: toolCalls.map(({ toolCallId }) => ({ toolCallId, output })),
  approvals: approvals.map(({ approvalId }) => ({ approvalId, approve: true })),
});

export const submit = (t: ServiceUnderTest, run: string, body: unknown): Promise<TestResponse> =>
  t.call(`${run}/tool-outputs`, { method: 'POST', body });

/** Returns the engine's responses of a run, one for each round. */
export const roundsOf = async (t: ServiceUnderTest, run: string): Promise<EngineRun[]> =>
  (await t.engine.runs()).filter(({ metadata }) => metadata['runId'] === idOf(run));

/** Changes columns of a run in the store, such as times: tests need not wait for them. */
export async function changeRow(
  { projectId }: ServiceUnderTest,
  runId: string,
  columns: Record<string, unknown>,
): Promise<void> {
  const row = (await rowsOf(projectId)).find(({ rowKey }) => rowKey === runId);
  const { partitionKey, rowKey } = row as { partitionKey: string; rowKey: string };
  await (await threadsTable()).updateEntity({ partitionKey, rowKey, ...columns }, 'Merge');
}
