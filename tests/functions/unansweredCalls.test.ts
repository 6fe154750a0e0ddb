import { describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
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

/* An engine refuses everything in a conversation with calls that have no output. No run may leave a thread like that. */

const t = useService();

const cancel = (run: string) => t.call(`${run}/cancel`, { method: 'POST' });

const creates = async () => (await t.engine.calls()).filter((call) => call === 'POST /v1/responses').length;

/** Posts a message, which must be answered, and returns the input that the engine got with it. */
async function expectReply(thread: string, engineCalls = 1) {
  const before = await creates();
  const { run } = await t.startRun(thread);
  expect((await creates()) - before).toBe(engineCalls);
  expect((await t.finish(run)).body.status).toBe('completed');
  const [round] = await roundsOf(t, run);
  return round?.input ?? [];
}

const unanswered = { type: 'function_call_output', output: 'The call was not answered.' };
const denied = {
  type: 'mcp_approval_response',
  approve: false,
  reason: 'The request was not answered.',
};
const message = { type: 'message', role: 'user' };

describe('the next message after a run with unanswered calls', () => {
  test('says of each that it was not answered, in its one call of the engine', async () => {
    const { thread, run } = await startWaitingRun(t, { outcome: threeCalls });
    await cancel(run);
    expect(await expectReply(thread)).toEqual(
      [unanswered, unanswered, denied, message].map((item) => expect.objectContaining(item)),
    );
  });

  test('says it once: the message after that has nothing to say', async () => {
    const { thread, run } = await startWaitingRun(t);
    await cancel(run);
    await expectReply(thread);
    expect(await expectReply(thread)).toEqual([expect.objectContaining(message)]);
  });

  test('says it again if its own run did not complete', async () => {
    const { thread, run } = await startWaitingRun(t);
    await cancel(run);
    await t.engine.outcome({ status: 'failed', code: 'server_error' });
    const { run: failing } = await t.startRun(thread);
    expect((await t.finish(failing)).body.status).toBe('failed');
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses', exact: true },
      { kind: 'status', status: 429, code: 'rate_limit_exceeded' },
    );
    expect((await t.createRun(thread)).status).toBe(429);
    await t.engine.outcome({ status: 'never' });
    const { run: cancelled } = await t.startRun(thread);
    await cancel(cancelled);
    expect(await expectReply(thread)).toEqual(
      [unanswered, message].map((item) => expect.objectContaining(item)),
    );
  });

  test('can have calls of its own, which replace the earlier ones', async () => {
    const { thread, run } = await startWaitingRun(t);
    await cancel(run);
    const { run: second, action } = await startWaitingRun(t, { thread, outcome: threeCalls });
    await t.engine.outcome(aCall);
    await submit(t, second, answersTo(action));
    await waitForAction(t, second);
    await cancel(second);
    expect(await expectReply(thread)).toEqual(
      [unanswered, message].map((item) => expect.objectContaining(item)),
    );
  });

  test('is answered after a round was cancelled whose outputs the engine did not keep', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.outcome({ status: 'never' });
    await submit(t, run, answersTo(action));
    await cancel(run);
    expect(await expectReply(thread)).toEqual(
      [unanswered, message].map((item) => expect.objectContaining(item)),
    );
  });

  test('is answered after a reply that was cut off with a call in it', async () => {
    const thread = await t.openThread();
    const call = { type: 'function_call', name: 'get_order', arguments: '{"orderId":' } as const;
    await t.engine.outcome(replies.incompleteAfter('max_output_tokens', call));
    const { run } = await t.startRun(thread);
    expect((await t.finish(run)).body).toMatchObject({ status: 'failed', errorCode: 'max_output_tokens' });
    expect(await expectReply(thread)).toEqual(
      [unanswered, message].map((item) => expect.objectContaining(item)),
    );
  });

  test('is answered after a failure with a call that the engine did not keep', async () => {
    const thread = await t.openThread();
    const call = { type: 'function_call', name: 'get_order', arguments: '{}' } as const;
    await t.engine.outcome(replies.failedAfter('server_error', call));
    const { run } = await t.startRun(thread);
    expect((await t.finish(run)).body.status).toBe('failed');
    expect(await expectReply(thread)).toEqual([expect.objectContaining(message)]);
  });

  test('is answered after a completed run that had called functions', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await submit(t, run, answersTo(action));
    await t.finish(run);
    expect(await expectReply(thread)).toEqual([expect.objectContaining(message)]);
  });
});

describe('if the engine has other unanswered calls than the records say, the next message', () => {
  test('reads which: after a round whose outputs the engine kept though it was cancelled', async () => {
    const { thread, run, action } = await startWaitingRun(t);
    await t.engine.behaviour({ appendInput: 'creation' });
    await t.engine.outcome({ status: 'never' });
    await submit(t, run, answersTo(action));
    await cancel(run);
    expect(await expectReply(thread, 2)).toEqual([expect.objectContaining(message)]);
    expect(t.log()).toContain('"event":"open_calls_differ"');
  });

  test('reads which: after a cancelled run that completed all the same, with calls', async () => {
    const thread = await t.openThread();
    await t.engine.timing({ queueMs: 0, runMs: 60_000, completeAfterCancelMs: 0 });
    await t.engine.outcome(threeCalls);
    const { run } = await t.startRun(thread);
    expect((await cancel(run)).body.status).toBe('cancelled');
    await t.engine.timing({ runMs: 0, completeAfterCancelMs: null });
    expect(await expectReply(thread, 2)).toEqual(
      [unanswered, unanswered, denied, message].map((item) => expect.objectContaining(item)),
    );
  });

  test('is refused once more at most: a second mismatch is an error, and the thread stays free', async () => {
    const thread = await t.openThread();
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses', exact: true },
      {
        kind: 'status',
        status: 400,
        code: null,
        message: 'No tool output found for function call call_x.',
      },
      2,
    );
    const refused = await t.createRun(thread, question);
    expect([refused.status, refused.body.code]).toEqual([500, 'internal_error']);
    expect(await creates()).toBe(2);
    await expectReply(thread);
  });
});
