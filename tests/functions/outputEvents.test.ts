import { describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { type Event, readEvents, statusesOf, textOf } from '../support/events.ts';
import { useService } from '../support/useService.ts';

/* What the events of a run tell of its messages and other steps, however a client follows them. */

const t = useService();

const namesOf = (events: readonly Event[]) =>
  events.map(({ event }) => event).filter((name) => name !== 'run');
/** The names of events, each once where it repeats. */
const outline = (events: readonly Event[]) =>
  namesOf(events).filter((name, index, all) => name !== all[index - 1]);
/** What events tell, whatever pieces the text is in. */
const contentOf = (events: readonly Event[]) => ({
  marks: events
    .filter(({ event }) => !event.endsWith('.delta') && event !== 'run')
    .map(({ event, data }) => [event, data.messageId ?? data.step.stepId, data.change]),
  texts: ['message.delta', 'commentary.delta', 'refusal.delta'].map((name) => textOf(events, name)),
});

const said = replies.items(
  { type: 'message', phase: 'commentary', content: [{ type: 'output_text', text: 'I look this up now.' }] },
  { type: 'web_search_call', action: { type: 'search', query: 'weather' } },
  {
    type: 'message',
    content: [
      { type: 'output_text', text: 'It rains a lot.' },
      { type: 'refusal', refusal: 'More I do not say.' },
    ],
  },
  { type: 'message', content: [{ type: 'output_text', text: 'Goodbye then.' }] },
);
const outlineOfSaid = [
  ...['message.start', 'commentary.delta', 'message.end'],
  'step',
  ...['message.start', 'message.delta', 'refusal.delta', 'message.end'],
  ...['message.start', 'message.delta', 'message.end'],
];

async function follow(runMs = 800): Promise<{ thread: string; run: string }> {
  await t.engine.timing({ queueMs: 50, runMs });
  await t.engine.outcome(said);
  return t.startRun();
}

describe('events', () => {
  test('have the start and end of each message around its pieces, and of each other step', async () => {
    const { thread, run } = await follow();
    const events = await readEvents(t, run);
    expect(outline(events)).toEqual(outlineOfSaid);
    const { messages } = (await t.call(thread)).body;
    const ids = messages.slice(1).map(({ messageId }: { messageId: string }) => messageId);
    const marks = events.filter(({ event }) => /^message\.(start|end)$/.test(event));
    expect(marks.map(({ data }) => [data.messageId, data.commentary])).toEqual(
      ids.flatMap((id: string, index: number) => Array(2).fill([id, index === 0])),
    );
    const steps = events.filter(({ event }) => event === 'step').map(({ data }) => data);
    expect(steps).toMatchObject([
      { change: 'started', step: { type: 'web_search', status: 'in_progress' } },
      { change: 'finished', step: { type: 'web_search', status: 'completed', queries: ['weather'] } },
    ]);
    const { body } = await t.call(`${run}/steps`);
    expect(body.steps.map(({ stepId }: { stepId: string }) => stepId)).toContain(steps[1].step.stepId);
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  });

  test('have the text of a refusal as refusal.delta, in the message as it is in the thread', async () => {
    const { thread, run } = await follow();
    const events = await readEvents(t, run);
    const { content, messageId } = (await t.call(thread)).body.messages[2];
    const own = events.filter(({ event, data }) => event.endsWith('.delta') && data.messageId === messageId);
    expect(own.map(({ data }) => data.delta).join('')).toBe(content);
    expect(textOf(own, 'refusal.delta')).toBe('\nMore I do not say.');
  });

  test('come once, wherever a client leaves and comes back', async () => {
    const { run } = await follow(1_500);
    const whole = contentOf(await readEvents(t, run, { after: '0' }));
    const all: Event[] = [];
    for (let size = 1; all.at(-1)?.id !== 'end'; size = size === 3 ? 1 : size + 1) {
      const after = all.at(-1)?.id ?? '0';
      all.push(...(await readEvents(t, run, { after, enough: ({ length }) => length >= size })));
    }
    expect(contentOf(all)).toEqual(whole);
    expect(outline(all)).toEqual(outlineOfSaid);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });

  test('are the same where the stream cannot be read, from any point', async () => {
    const { run } = await follow(300);
    const streamed = await readEvents(t, run);
    expect(statusesOf(streamed).at(-1)).toBe('completed');
    await t.kill();
    await t.restart();
    await t.engine.refuseResume(400, null);
    const whole = contentOf(streamed);
    expect(contentOf(await readEvents(t, run, { after: '0' }))).toEqual(whole);
    for (let read = 1; read < streamed.length - 1; read += 5) {
      const before = streamed.slice(0, read);
      const after = await readEvents(t, run, { after: before.at(-1)?.id ?? '' });
      expect(contentOf([...before, ...after])).toEqual(whole);
    }
  });

  test('leave out the end of a message that the run did not live to see', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 60_000 });
    await t.engine.outcome(replies.texts('A very long story that will not end.'));
    const { run } = await t.startRun();
    const events = readEvents(t, run);
    await readEvents(t, run, { enough: (some) => namesOf(some).includes('message.start') });
    await t.call(`${run}/cancel`, { method: 'POST' });
    expect(namesOf(await events)).not.toContain('message.end');
    expect(statusesOf(await events).at(-1)).toBe('cancelled');
  });
});
