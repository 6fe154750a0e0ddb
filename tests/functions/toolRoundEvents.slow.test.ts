import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { type Event, readEvents, statusesOf, textOf } from '../support/events.ts';
import { startProcess } from '../support/process.ts';
import { aCall, answersTo, changeRow, roundsOf, startWaitingRun, submit } from '../support/toolRounds.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

const t = useService();

/** A round that says something before it calls a function. */
const saidThenCalled = replies.items(
  { type: 'message', content: [{ type: 'output_text', text: 'I look the order up first.' }] },
  { type: 'function_call', name: 'get_order', arguments: '{"orderId":"A-17"}' },
);

const isWaiting = (events: readonly Event[]) => statusesOf(events).at(-1) === 'requires_action';
const actionOf = (events: readonly Event[]) =>
  events.findLast(({ data }) => data.requiredAction)?.data.requiredAction;

/** The texts of the assistant in the thread, joined. */
const repliesIn = async (thread: string): Promise<string> => {
  const { messages } = (await t.call(thread)).body as { messages: { role: string; content: string }[] };
  return messages.flatMap(({ role, content }) => (role === 'assistant' ? [content] : [])).join('');
};

/** Reads the events of a run to its end, and submits outputs whenever it waits. */
async function readAndSubmit(run: string): Promise<Event[]> {
  let submitting: Promise<unknown> = Promise.resolve();
  const seen = new Set<Event>();
  const events = await readEvents(t, run, {
    enough: (all) => {
      const last = all.at(-1);
      if (last?.data.requiredAction && !seen.has(last)) {
        seen.add(last);
        submitting = submit(t, run, answersTo(last.data.requiredAction));
      }
      return false;
    },
  });
  await submitting;
  return events;
}

describe('the events of a run with several rounds', () => {
  test('come in one stream: each text, what the run waits for, and the end', async () => {
    await t.engine.timing({ queueMs: 100, runMs: 400 });
    await t.engine.outcome(saidThenCalled, 2);
    const { thread, run } = await t.startRun();
    const events = await readAndSubmit(run);
    expect(statusesOf(events)).toEqual([
      ...['queued', 'in_progress', 'requires_action'],
      ...['queued', 'in_progress', 'requires_action'],
      ...['queued', 'in_progress', 'completed'],
    ]);
    expect(textOf(events)).toBe(await repliesIn(thread));
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const waiting = events.filter(({ data }) => data.requiredAction);
    expect(waiting.map(({ id }) => id)).toEqual(['2.0', '3.0']);
    expect(events.at(-1)).toMatchObject({ id: 'end', data: (await t.call(run)).body });
    // What a run waits for comes after the text of its round.
    const first = events.findIndex(({ data }) => data.requiredAction);
    expect(textOf(events.slice(0, first))).toBe('I look the order up first.');
  });

  test('cost the engine no call while the run waits', async () => {
    const { run } = await startWaitingRun(t);
    const events = await readEvents(t, run, { enough: isWaiting });
    expect(actionOf(events).toolCalls).toHaveLength(1);
    const leave = new AbortController();
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const stream = await fetch(`${t.url}/api/${run}/events`, {
      headers: { Authorization: `Bearer ${token}` },
      signal: leave.signal,
    });
    await t.engine.reset();
    t.store.reset();
    await until(
      'the feed asks the store',
      () => t.store.roundTrips.filter((kind) => kind === 'read').length > 2,
    );
    expect(await t.engine.calls()).toEqual([]);
    leave.abort();
    await stream.text().catch(() => undefined);
    await t.idle();
    await until('the feed is closed', async () => {
      t.store.reset();
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      return t.store.roundTrips.length === 0;
    });
  });

  test('go on after any event, without loss or repetition', async () => {
    await t.engine.timing({ queueMs: 50, runMs: 300 });
    await t.engine.outcome(saidThenCalled, 2);
    const { thread, run } = await t.startRun();
    const all: Event[] = [];
    let submitted = 0;
    while (all.at(-1)?.id !== 'end') {
      const after = all.at(-1)?.id;
      const size = 1 + (all.length % 4);
      all.push(
        ...(await readEvents(t, run, {
          ...(after !== undefined && { after }),
          enough: (events) => events.length >= size || isWaiting(events),
        })),
      );
      if (all.at(-1)?.data.requiredAction) {
        submitted++;
        await submit(t, run, answersTo(all.at(-1)?.data.requiredAction));
      }
    }
    expect(submitted).toBe(2);
    expect(statusesOf(all).filter((status) => status === 'requires_action')).toHaveLength(2);
    expect(textOf(all)).toBe(await repliesIn(thread));
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });

  test('come from the first round on for a client that resumes late, also at another worker', async () => {
    await t.engine.outcome(saidThenCalled);
    const { thread, run } = await t.startRun();
    const before = await readEvents(t, run, { after: '0', enough: (events) => textOf(events).length > 4 });
    const { body } = await t.finish(run);
    await submit(t, run, answersTo(body.requiredAction));
    await t.finish(run);
    const everything = await repliesIn(thread);
    expect(textOf([...before, ...(await readEvents(t, run, { after: before.at(-1)?.id ?? '' }))])).toBe(
      everything,
    );
    await t.kill();
    await t.restart();
    expect(textOf([...before, ...(await readEvents(t, run, { after: before.at(-1)?.id ?? '' }))])).toBe(
      everything,
    );
    const secondOnly = await readEvents(t, run, { after: '2.0' });
    expect(textOf(secondOnly)).toBe(everything.replace('I look the order up first.', ''));
    expect(secondOnly.at(-1)).toMatchObject({ id: 'end', data: { status: 'completed' } });
  });

  test('lose only the text of a round that the engine has forgotten', async () => {
    await t.engine.outcome(saidThenCalled);
    const { thread, run } = await t.startRun();
    const { body } = await t.finish(run);
    await submit(t, run, answersTo(body.requiredAction));
    await t.finish(run);
    const [first] = await roundsOf(t, run);
    await t.kill();
    await t.restart();
    await t.engine.forget(first?.id);
    const events = await readEvents(t, run, { after: '0' });
    expect(textOf(events)).toBe((await t.call(thread)).body.messages.at(-1).content);
    expect(events.at(-1)).toMatchObject({ id: 'end', data: { status: 'completed' } });
  });

  test('say what a run waits for though the engine has forgotten the round, as long as the worker remembers', async () => {
    const { run, runId, action } = await startWaitingRun(t);
    const [first] = await roundsOf(t, run);
    await t.engine.forget(first?.id);
    await changeRow(t, runId, { submittedAt: new Date(Date.now() - 61_000) });
    expect(actionOf(await readEvents(t, run, { enough: isWaiting }))).toEqual(action);
  });

  test('are the same when the streams of the engine cannot be resumed', async () => {
    await t.engine.outcome(saidThenCalled);
    const { thread, run } = await t.startRun();
    const { body } = await t.finish(run);
    await t.kill();
    await t.restart();
    await t.engine.refuseResume(400, null);
    const waiting = await readEvents(t, run, { enough: isWaiting });
    expect(textOf(waiting)).toBe('I look the order up first.');
    expect(actionOf(waiting)).toEqual(body.requiredAction);
    await submit(t, run, answersTo(body.requiredAction));
    const rest = await readEvents(t, run, { after: waiting.at(-1)?.id ?? '' });
    expect(textOf([...waiting, ...rest])).toBe(await repliesIn(thread));
  });

  test('notice outputs that another worker has received', async () => {
    const other = await startProcess('local/host/main.ts', [], { ...t.settings });
    try {
      const { run, action } = await startWaitingRun(t);
      const token = await t.issuer.sign({ projects: [t.projectId] });
      let submitting: Promise<Response> | undefined;
      const events = await readEvents(t, run, {
        enough: (all) => {
          if (isWaiting(all) && !submitting) {
            submitting = fetch(`${other.url}/api/${run}/tool-outputs`, {
              method: 'POST',
              headers: { Authorization: `Bearer ${token}` },
              body: JSON.stringify(answersTo(action)),
            });
          }
          return false;
        },
      });
      expect((await submitting)?.status).toBe(200);
      expect(statusesOf(events)).toContain('requires_action');
      expect(events.at(-1)).toMatchObject({ id: 'end', data: { status: 'completed' } });
      expect(textOf(events)).toContain('shipped');
    } finally {
      await other.stop();
    }
  });

  test('end with a run that is cancelled while it waits', async () => {
    const { run } = await startWaitingRun(t);
    let cancelling: Promise<unknown> | undefined;
    const events = await readEvents(t, run, {
      enough: (all) => {
        if (isWaiting(all)) cancelling ??= t.call(`${run}/cancel`, { method: 'POST' });
        return false;
      },
    });
    await cancelling;
    expect(statusesOf(events)).toEqual(['requires_action', 'cancelled']);
  });

  test('stay silent about outputs that the engine rejects, and go on with the next ones', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 300 });
    await t.engine.outcome(aCall);
    const { run } = await t.startRun();
    let submitting: Promise<unknown> | undefined;
    const events = await readEvents(t, run, {
      enough: (all) => {
        const action = actionOf(all);
        if (action) {
          submitting ??= (async () => {
            await t.engine.fault(
              { method: 'POST', path: '/v1/responses', exact: true },
              { kind: 'status', status: 429, code: 'rate_limit_exceeded' },
            );
            expect((await submit(t, run, answersTo(action))).status).toBe(429);
            expect((await submit(t, run, answersTo(action))).status).toBe(200);
          })();
        }
        return false;
      },
    });
    await submitting;
    expect(statusesOf(events).filter((status) => status === 'requires_action')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ id: 'end', data: { status: 'completed' } });
  });
});

describe('with a short time for runs', () => {
  beforeAll(async () => {
    await t.stop();
    await t.restart({ RUN_TIMEOUT_SECONDS: '8' });
  });
  afterAll(async () => {
    await t.stop();
    await t.restart();
  });

  test('the events of a waiting run end at its deadline', async () => {
    const { run } = await startWaitingRun(t);
    expect(statusesOf(await readEvents(t, run))).toEqual(['requires_action', 'expired']);
  });
});

describe('the stream of a submission', () => {
  test('is read until the engine works on the round, whether or not anybody listens', async () => {
    const { run, action } = await startWaitingRun(t);
    await t.engine.timing({ queueMs: 1_200, runMs: 100 });
    await submit(t, run, answersTo(action));
    expect(await t.engine.openStreams()).toBe(1);
    expect((await t.finish(run)).body.status).toBe('completed');
    await until('the stream is closed', async () => (await t.engine.openStreams()) === 0);
  });
});
