import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { toPartitionKey } from '../../shared/storage/rows.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { idOf } from '../support/paths.ts';
import { startProcess } from '../support/process.ts';
import { followUpsOn } from '../support/service.ts';
import { answersTo, startWaitingRun, submit } from '../support/toolRounds.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

const t = useService(followUpsOn);

const canary = { message: 'canary question', instructions: 'canary instructions' };

const remove = (thread: string) => t.call(thread, { method: 'DELETE' });

const startRun = async (thread: string) => (await t.startRun(thread, { body: canary })).runId;

/** The rows of a thread, by their keys: asking the service for a run would bring it up to date. */
async function rowsOf(thread: string): Promise<Map<string, Record<string, unknown>>> {
  const connectionString = process.env['TEST_TABLES_CONNECTION_STRING'] ?? '';
  const table = await openTable({ connectionString }, 'threads');
  const partition = toPartitionKey({ projectId: t.projectId, threadId: idOf(thread) });
  const rows = table.listEntities({ queryOptions: { filter: `PartitionKey eq '${partition}'` } });
  return new Map((await Array.fromAsync(rows)).map((row) => [row.rowKey ?? '', row]));
}

const recorded = async (thread: string, runId: string) => (await rowsOf(thread)).get(runId);
const untilRecorded = (thread: string, runId: string, status: string) =>
  until(`${status} is recorded`, async () => (await recorded(thread, runId))?.['status'] === status);

/** Messages, those that are hidden included. */
const waiting = async () => (await t.queue.queue.getProperties()).approximateMessagesCount;
const untilNoneWaits = () => until('the queue is empty', async () => (await waiting()) === 0);
const poisoned = async () =>
  (await t.queue.poison.exists()) ? (await t.queue.poison.getProperties()).approximateMessagesCount : 0;

const put = (content: unknown) =>
  t.queue.queue.sendMessage(Buffer.from(JSON.stringify(content)).toString('base64'));
const followUpOf = (thread: string, runId: string) => ({
  kind: 'run',
  projectId: t.projectId,
  threadId: idOf(thread),
  runId,
  attempt: 0,
});

const isUnavailable = { kind: 'status', status: 503, code: null, type: 'x', message: 'canary' };

describe('a run that no client asks for', () => {
  test('is followed up after 30 seconds, by a message that never expires and holds ids only', async () => {
    const thread = await t.openThread();
    const runId = await startRun(thread);
    const content = followUpOf(thread, runId);
    expect(t.queue.sent).toEqual([{ content, delaySeconds: 30, timeToLive: -1 }]);
    expect(JSON.stringify(t.queue.sent)).not.toContain('canary');
  });

  test('ends, and its thread takes the next run', async () => {
    t.queue.deliver(0);
    const thread = await t.openThread();
    const runId = await startRun(thread);
    await untilRecorded(thread, runId, 'completed');
    await untilNoneWaits();
    expect((await rowsOf(thread)).get('thread')?.['activeRunId']).toBe('');
    await startRun(thread);
  });

  test('is followed up with growing delays until it ends', async () => {
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const runId = await startRun(thread);
    // The run's own message, sent before the engine is called, would be delivered before the engine responds.
    await t.queue.queue.clearMessages();
    t.queue.deliver(0);
    await put(followUpOf(thread, runId));
    await until('there are four', () => t.queue.sent.length >= 4);
    expect((await recorded(thread, runId))?.['status']).toBe('in_progress');
    expect(t.queue.sent.slice(0, 4)).toEqual(
      [30, 60, 120, 240].map((delaySeconds, attempt) => ({
        content: { ...followUpOf(thread, runId), attempt },
        delaySeconds,
        timeToLive: -1,
      })),
    );
    await t.call(`${thread}/runs/${runId}/cancel`, { method: 'POST' });
    await untilNoneWaits();
  });

  test('costs the engine nothing when it has ended before', async () => {
    const thread = await t.openThread();
    const runId = await startRun(thread);
    await t.finish(`${thread}/runs/${runId}`);
    await t.engine.reset();
    t.queue.deliver(0);
    await put(followUpOf(thread, runId));
    await put({ ...followUpOf(thread, runId), runId: 'run_nosuch' });
    await until('both are done', async () => (await waiting()) === 1);
    expect(await t.engine.calls()).toEqual([]);
  });

  test('ends when its worker was killed right after the create', async () => {
    const thread = await t.openThread();
    const runId = await startRun(thread);
    await t.kill();
    t.queue.deliver(0);
    // As the message that was sent: its own delay is not over.
    await put(followUpOf(thread, runId));
    await t.restart();
    await untilRecorded(thread, runId, 'completed');
  });
});

describe('a run that waits for outputs', () => {
  test('is followed up without asking the engine', async () => {
    t.queue.deliver(0);
    const { thread, runId } = await startWaitingRun(t);
    const oneMore = (count: number) => until('there is another', () => t.queue.sent.length > count);
    await oneMore(t.queue.sent.length);
    await t.engine.reset();
    await oneMore(t.queue.sent.length + 1);
    expect(await t.engine.calls()).toEqual([]);
    expect((await recorded(thread, runId))?.['status']).toBe('requires_action');
    await t.call(`${thread}/runs/${runId}/cancel`, { method: 'POST' });
    await untilNoneWaits();
  });
});

describe('with a short time for runs', () => {
  beforeAll(async () => {
    await t.stop();
    await t.restart({ RUN_TIMEOUT_SECONDS: '4' });
  });
  afterAll(async () => {
    await t.stop();
    await t.restart();
  });

  test('a run that the engine never ends is expired just after it, and cancelled in the engine', async () => {
    t.queue.deliver(60);
    await t.engine.outcome({ status: 'never' });
    const thread = await t.openThread();
    const runId = await startRun(thread);
    expect(t.queue.sent[0]?.delaySeconds).toBeLessThanOrEqual(5);
    await untilRecorded(thread, runId, 'expired');
    expect((await t.engineRunOf(runId))?.status).toBe('cancelled');
    await untilNoneWaits();
    expect(t.queue.sent).toHaveLength(1);
    expect(t.log()).toContain('"event":"run_expired"');
  });

  test('a run that waits for outputs is expired just after it, without asking the engine, and its thread goes on', async () => {
    t.queue.deliver(60);
    const { thread, runId } = await startWaitingRun(t);
    await t.engine.reset();
    await untilRecorded(thread, runId, 'expired');
    expect(await t.engine.calls()).toEqual([]);
    const next = await startRun(thread);
    expect((await t.finish(`${thread}/runs/${next}`)).body.status).toBe('completed');
  });

  test('a run whose worker was killed while outputs were submitted is expired, and its thread goes on', async () => {
    t.queue.deliver(60);
    const { thread, run, runId, action } = await startWaitingRun(t);
    await t.engine.fault({ method: 'POST', path: '/v1/responses', exact: true }, { kind: 'hang' });
    const submitting = submit(t, run, answersTo(action)).catch(() => undefined);
    await untilRecorded(thread, runId, 'queued');
    await t.kill();
    await submitting;
    await t.restart({ RUN_TIMEOUT_SECONDS: '4' });
    // The worker may have died before the engine got the outputs, and the fault would still be there.
    await t.engine.reset();
    await untilRecorded(thread, runId, 'expired');
    const next = await startRun(thread);
    expect((await t.finish(`${thread}/runs/${next}`)).body.status).toBe('completed');
  });

  test('a run whose worker was killed while it was submitted is expired, and frees its thread', async () => {
    t.queue.deliver(60);
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 5_000 });
    const thread = await t.openThread();
    const creating = t.createRun(thread).catch(() => undefined);
    await until('it is followed up', () => t.queue.sent.length === 1);
    await t.kill();
    await creating;
    await t.restart({ RUN_TIMEOUT_SECONDS: '4' });
    const [runId = ''] = [...(await rowsOf(thread)).keys()].filter((key) => key.startsWith('run_'));
    await untilRecorded(thread, runId, 'expired');
    expect((await rowsOf(thread)).get('thread')?.['activeRunId']).toBe('');
  });
});

describe('a deletion that was interrupted', () => {
  test('finishes by itself', async () => {
    const thread = await t.openThread();
    await t.finish(`${thread}/runs/${await startRun(thread)}`);
    await t.queue.reset();
    t.queue.deliver(1);
    await t.engine.fault({ method: 'DELETE', path: '/v1/conversations' }, { kind: 'drop' }, 2);
    expect((await remove(thread)).status).toBe(503);
    expect((await rowsOf(thread)).size).toBeGreaterThan(0);
    await until('all rows are gone', async () => (await rowsOf(thread)).size === 0);
    await untilNoneWaits();
    const threadId = idOf(thread);
    expect(t.queue.sent).toEqual(
      [30, 60].map((delaySeconds, attempt) => ({
        content: { kind: 'deletion', projectId: t.projectId, threadId, attempt },
        delaySeconds,
        timeToLive: -1,
      })),
    );
    expect(t.log()).toContain('"event":"follow_up_postponed"');
  });

  test('of a thread whose create was not confirmed removes what kept a late row out', async () => {
    t.queue.deliver(1);
    t.store.inject({ kind: 'insert', row: 'thread' }, 'fail', 3);
    const { status } = await t.call(`projects/${t.projectId}/threads`, { method: 'POST' });
    expect(status).toBe(503);
    expect(t.queue.sent).toEqual([
      {
        content: { kind: 'deletion', projectId: t.projectId, threadId: expect.any(String), attempt: 1 },
        delaySeconds: 60,
        timeToLive: -1,
      },
    ]);
    const [content] = t.queue.sent.map((sent) => sent.content as { threadId: string });
    const threadId = content?.threadId ?? '';
    expect((await rowsOf(threadId)).get('thread')?.['closed']).toBe(true);
    await until('the closed row is gone', async () => (await rowsOf(threadId)).size === 0);
  });

  test('finishes when its worker was killed', async () => {
    const thread = await t.openThread();
    await t.queue.reset();
    await t.engine.fault({ method: 'DELETE', path: '/v1/conversations' }, { kind: 'delay', ms: 5_000 });
    t.queue.deliver(1);
    const removing = remove(thread).catch(() => undefined);
    await until('it is followed up', () => t.queue.sent.length === 1);
    await until('it is closed', async () => (await rowsOf(thread)).get('thread')?.['closed'] === true);
    await t.kill();
    await removing;
    await t.restart();
    await until('all rows are gone', async () => (await rowsOf(thread)).size === 0);
  });
});

describe('when the queue does not take a follow-up', () => {
  test.each(['away', 'fail', 'hang', 'lose'] as const)(
    'creates and deletions succeed all the same, and it is logged: %s',
    async (fault) => {
      const thread = await t.openThread();
      const before = t.log().length;
      if (fault === 'away') await t.queue.away();
      else t.queue.inject('send', fault, 10);
      const runId = await startRun(thread);
      expect((await t.finish(`${thread}/runs/${runId}`)).body.status).toBe('completed');
      expect((await remove(thread)).status).toBe(204);
      const logged = () =>
        t
          .log()
          .slice(before)
          .split('\n')
          .filter((line) => line.includes('follow_up_not_sent'));
      await until('both are logged', () => logged().length === 2);
      if (fault === 'away') await t.queue.back();
      const events = logged();
      expect(events.map((line) => JSON.parse(line.replace(/^\[\w+\] /, '')))).toEqual([
        expect.objectContaining({ ...followUpOf(thread, runId), code: 'unavailable' }),
        expect.objectContaining({ kind: 'deletion', projectId: t.projectId, threadId: idOf(thread) }),
      ]);
      expect(events.join()).not.toContain('canary');
    },
    60_000,
  );
});

describe('a follow-up that is delivered more than once', () => {
  test('does no harm, not even to two workers at once', async () => {
    const other = await startProcess('local/host/main.ts', [], { ...t.settings });
    try {
      const thread = await t.openThread();
      t.queue.inject('send', 'twice');
      const runId = await startRun(thread);
      for (let copies = 0; copies < 30; copies++) await put(followUpOf(thread, runId));
      const before = t.log().length;
      t.queue.deliver(0);
      // A worker that has found the queue empty for a while comes back after seconds; the other may take all till then.
      await until('both take part', async () => {
        await put(followUpOf(thread, runId));
        return [t.log().slice(before), other.output()].every((log) => log.includes('"function":"followUp"'));
      });
      await until('all but the delayed are done', async () => (await waiting()) === 2);
      expect((await recorded(thread, runId))?.['status']).toBe('completed');
      expect(await poisoned()).toBe(0);
      expect(t.log() + other.output()).not.toContain('followUp threw');
    } finally {
      await other.stop();
    }
  });

  test('of a deletion does no harm', async () => {
    const thread = await t.openThread();
    await t.engine.fault({ method: 'DELETE', path: '/v1/conversations' }, { kind: 'drop' });
    expect((await remove(thread)).status).toBe(503);
    const deletion = { kind: 'deletion', projectId: t.projectId, threadId: idOf(thread), attempt: 0 };
    for (let copies = 0; copies < 10; copies++) await put(deletion);
    t.queue.deliver(0);
    // The one that was sent with the interrupted deletion waits for its time.
    await until('all but the delayed are done', async () => (await waiting()) === 1);
    expect((await rowsOf(thread)).size).toBe(0);
    expect(await poisoned()).toBe(0);
  });

  test('of a deletion leaves a thread alone that is open', async () => {
    const thread = await t.openThread();
    await put({ kind: 'deletion', projectId: t.projectId, threadId: idOf(thread), attempt: 0 });
    t.queue.deliver(0);
    await untilNoneWaits();
    expect((await t.call(thread)).status).toBe(200);
  });
});

describe('when something that a follow-up needs is away', () => {
  test('it is sent again instead of failing, and the run ends when it is back: the engine', async () => {
    t.queue.deliver(0);
    const thread = await t.openThread();
    await t.engine.fault({ method: 'GET', path: '/v1/responses' }, isUnavailable, 3);
    const runId = await startRun(thread);
    await untilRecorded(thread, runId, 'completed');
    await untilNoneWaits();
    expect(t.queue.sent.map(({ content }) => (content as { attempt: number }).attempt)).toEqual([0, 1, 2, 3]);
    expect(await poisoned()).toBe(0);
  });

  test('it is sent again instead of failing, and the run ends when it is back: the store', async () => {
    const thread = await t.openThread();
    const runId = await startRun(thread);
    t.queue.deliver(0);
    await t.store.away();
    await put(followUpOf(thread, runId));
    await until('it is sent again', () => t.queue.sent.length > 1);
    await t.store.back();
    await untilRecorded(thread, runId, 'completed');
    expect(await poisoned()).toBe(0);
  });

  test('the host delivers it again when it cannot be sent again either', async () => {
    const thread = await t.openThread();
    await t.engine.outcome({ status: 'never' });
    const runId = await startRun(thread);
    t.queue.inject('send', 'fail', 3);
    t.queue.deliver(1);
    await put(followUpOf(thread, runId));
    await until('it came again', () => t.log().includes('"dequeueCount":2'));
    await until('it is sent again', () =>
      t.queue.sent.some(({ content }) => (content as { attempt: number }).attempt === 2),
    );
    await t.call(`${thread}/runs/${runId}/cancel`, { method: 'POST' });
    expect(await poisoned()).toBe(0);
  });
});

describe('a message that is not a follow-up', () => {
  test.each([
    ['text', 'canary text'],
    ['another object', { kind: 'run', message: 'canary' }],
    ['ids that are none', { kind: 'deletion', projectId: 'canary', threadId: "' or true", attempt: 0 }],
  ])('is kept in the poison queue, and nothing of it is logged: %s', async (_case, content) => {
    await put(content);
    t.queue.deliver(0);
    await until('it is set aside', async () => (await poisoned()) === 1 && (await waiting()) === 0);
    const { peekedMessageItems } = await t.queue.poison.peekMessages();
    expect(Buffer.from(peekedMessageItems[0]?.messageText ?? '', 'base64').toString()).toBe(
      JSON.stringify(content),
    );
    expect(t.log()).toContain("Moving message to queue 'runs-poison'");
    expect(t.log()).not.toMatch(/canary|or true/);
  });
});
