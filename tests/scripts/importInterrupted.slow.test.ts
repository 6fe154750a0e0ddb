import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openClient } from '../support/assistantsApi.ts';
import {
  createImport,
  exportedMessages,
  exportedThread,
  foreignId,
  type TestImport,
} from '../support/importing.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let exported: TestImport;
let threadId: string;

/** Three batches. */
const count = 45;

beforeEach(async () => {
  await t.changeProject();
  exported = await createImport(t);
  threadId = foreignId('thread');
  await exported.write('export.json', [exportedThread(threadId), ...exportedMessages(threadId, count)]);
});
afterEach(() => exported.remove());

const open = { method: 'POST', path: '/v1/conversations', exact: true };
const append = { method: 'POST', path: '/v1/conversations/*/items', exact: true };
const list = { method: 'GET', path: '/v1/conversations/*/items', exact: true };

const calls = async (match: RegExp) => (await t.engine.calls()).filter((call) => match.test(call));
const appends = () => calls(/^POST .*\/items$/);

const hasAppended = (times: number) => async () => (await appends()).length >= times;
const hasSent = (kind: 'transaction' | 'insert' | 'merge', times: number) => async () =>
  t.store.roundTrips.filter((one) => one === kind).length >= times;

/** Lets the first requests pass, and disturbs the one after them. */
async function disturb(match: typeof append, fault: Record<string, unknown>, after = 0): Promise<void> {
  if (after > 0) await t.engine.fault(match, { kind: 'delay', ms: 0 }, after);
  await t.engine.fault(match, fault);
}

async function expectWhole(messages = count): Promise<void> {
  const client = await openClient(t);
  const shown = [];
  for await (const { content } of client.beta.threads.messages.list(threadId, { order: 'asc', limit: 100 })) {
    shown.push(content[0]?.type === 'text' && content[0].text.value);
  }
  expect(shown).toEqual(Array.from({ length: messages }, (_, index) => `text ${index + 1}`));
  const listed = (await t.call(`projects/${t.projectId}/threads`)).body.threads;
  expect(listed.map((thread: { threadId: string }) => thread.threadId)).toEqual([threadId]);
}

const threadStatus = async () => (await t.call(`projects/${t.projectId}/threads/${threadId}`)).status;

describe('npm run import that is killed', () => {
  test.each<[string, () => Promise<void>, () => Promise<boolean>]>([
    ['before its claim is saved', async () => t.store.inject('insert', 'hang'), hasSent('insert', 1)],
    [
      'after its claim was saved, later',
      async () => t.store.inject('insert', { lateMs: 50, response: 'hang' }),
      async () => (await hasSent('insert', 1)()) && t.store.pendingLate() === 0,
    ],
    [
      'while it opens the conversation',
      () => disturb(open, { kind: 'hang_after' }),
      async () => (await calls(/^POST \/v1\/conversations$/)).length > 0,
    ],
    [
      'before it has noted the conversation',
      async () => t.store.inject('merge', 'hang'),
      hasSent('merge', 1),
    ],
    ['before the first messages arrive', () => disturb(append, { kind: 'hang' }), hasAppended(1)],
    ['after the second messages arrived', () => disturb(append, { kind: 'hang_after' }, 1), hasAppended(2)],
    [
      'while it compares',
      () => disturb(list, { kind: 'hang' }),
      async () => (await calls(/^GET .*\/items$/)).length > 0,
    ],
    [
      'before the thread appears',
      async () => t.store.inject('transaction', 'hang'),
      hasSent('transaction', 1),
    ],
  ])(
    '%s leaves no thread, and is completed by the next one',
    async (_when, prepare, condition) => {
      await prepare();
      await exported.killWhen(condition);
      expect(await threadStatus()).toBe(404);
      t.store.reset();
      await t.engine.reset();
      const { code, stdout } = await exported.run('--apply');
      expect([code, stdout]).toEqual([0, expect.stringContaining('1 thread imported')]);
      await expectWhole();
    },
    60_000,
  );

  test('removes the conversation of the interrupted import', async () => {
    await disturb(append, { kind: 'hang_after' }, 1);
    await exported.killWhen(hasAppended(2));
    const [first = ''] = await appends();
    const conversation = first.split('/').at(-2);
    await t.engine.reset();
    await exported.run('--apply');
    expect(await calls(/^DELETE /)).toEqual([`DELETE /v1/conversations/${conversation}`]);
  }, 60_000);

  test('just when the thread appears leaves it whole', async () => {
    t.store.inject('transaction', { lateMs: 50, response: 'hang' });
    await exported.killWhen(async () => (await threadStatus()) === 200);
    t.store.reset();
    const { code, stdout } = await exported.run('--apply');
    expect([code, stdout]).toEqual([0, expect.stringContaining('0 threads imported, 1 there before')]);
    await expectWhole();
  }, 60_000);

  test('can be imported by two at once: one of them brings the thread', async () => {
    const both = await Promise.all([exported.runProcess('--apply'), exported.runProcess('--apply')]);
    const brought = both.filter(({ stdout }) => stdout.includes('1 thread imported'));
    expect(brought).toHaveLength(1);
    await expectWhole();
  }, 60_000);
});

describe('npm run import into two projects at once', () => {
  test('brings a thread to one of them only', async () => {
    const { projectId } = await t.addProject();
    const second = await createImport(t, projectId);
    // Few messages, so that the first brings them before the store client of the second gives up.
    const few = [exportedThread(threadId), ...exportedMessages(threadId, 2)];
    await Promise.all([exported.write('export.json', few), second.write('export.json', few)]);
    // The second has looked for the thread in other projects already when the first brings it.
    let first: Promise<unknown> | undefined;
    t.store.inject('insert', {
      before: () => {
        first = exported.run('--apply');
        return first;
      },
    });
    const { code } = await second.runProcess('--apply');
    await first;
    await second.remove();
    expect(code).toBe(1);
    expect((await t.call(`projects/${projectId}/threads/${threadId}`)).status).toBe(404);
    await expectWhole(2);
  }, 60_000);
});

describe('npm run import with an engine', () => {
  test('whose confirmation is lost looks for the messages and does not add them again', async () => {
    await disturb(append, { kind: 'drop_after' }, 1);
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    expect(await appends()).toHaveLength(3);
    expect(await calls(/^POST \/v1\/conversations$/)).toHaveLength(1);
    await expectWhole();
  }, 60_000);

  test('that may still add messages fills another conversation', async () => {
    await disturb(append, { kind: 'drop' }, 1);
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    const conversations = new Set((await appends()).map((call) => call.split('/').at(-2)));
    expect([conversations.size, (await appends()).length]).toEqual([2, 5]);
    expect(await calls(/^DELETE /)).toHaveLength(1);
    await expectWhole();
  }, 60_000);

  test('that limits the rate is asked again when it allows', async () => {
    const limit = { kind: 'status', status: 429, headers: { 'retry-after': '1' } };
    await disturb(append, limit, 1);
    await disturb(open, limit);
    const { code, stdout } = await exported.run('--apply');
    expect([code, stdout]).toEqual([0, expect.stringContaining('The engine asks to wait 1 s.')]);
    expect(await appends()).toHaveLength(4);
    await expectWhole();
  }, 60_000);

  test('that refuses a message names it and brings nothing of its thread', async () => {
    const refusal = { kind: 'status', status: 400, code: 'invalid_prompt' };
    await t.engine.fault(append, refusal);
    await t.engine.fault(append, { kind: 'delay', ms: 0 });
    await t.engine.fault(append, refusal);
    const { code, stdout } = await exported.run('--apply');
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining(`message msg_${threadId.slice(7)}2: the engine refuses its content`),
    ]);
    expect(await calls(/^DELETE /)).toHaveLength(1);
    expect(await threadStatus()).toBe(404);
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    await expectWhole();
  }, 60_000);

  test('that is away stops, says so, and can be repeated', async () => {
    await t.engine.fault(open, { kind: 'status', status: 503 }, 3);
    const { code, stdout, stderr } = await exported.run('--apply');
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toContain(
      `thread ${threadId}: engine or storage failed (unavailable): run the import again`,
    );
    expect(await exported.run('--apply')).toMatchObject({ code: 0 });
    await expectWhole();
  }, 60_000);
});
