import { scheduler } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { pathOf } from '../support/paths.ts';
import { useService } from '../support/useService.ts';

const t = useService();

/** Pause of a client before it comes again; without one, most requests would be in vain. */
const pauseMs = 50;

test('400 runs over 100 threads at 50 in flight all complete, none lost or doubled', async () => {
  await t.engine.timing({ queueMs: 10, runMs: 30 });
  const token = await t.issuer.sign({ projects: [t.projectId] });
  const call: typeof t.call = (path, options) => t.call(path, { token, ...options });
  const threads = await pool(Array.from({ length: 100 }), 50, async () => {
    for (;;) {
      const { status, body } = await call(`projects/${t.projectId}/threads`, { method: 'POST' });
      // A busy machine may be too slow for a request; its client tries again.
      if (status === 503) continue;
      expect(status).toBe(201);
      return `projects/${t.projectId}/threads/${body.threadId}`;
    }
  });

  // Four questions a thread, all wanted at once: whoever meets a busy thread comes again.
  const questions = threads.flatMap((thread) =>
    [1, 2, 3, 4].map((n) => ({ thread, message: `Question ${n}?` })),
  );
  const runs = await pool(questions, 50, async ({ thread, message }) => {
    const headers = { 'Idempotency-Key': `${thread} ${message}`.replaceAll(/[^\w]/g, '-') };
    for (;;) {
      const created = await call(`${thread}/runs`, { method: 'POST', body: { message }, headers });
      // A busy thread, or a machine too busy for the request.
      if (created.status === 409 || created.status === 503) {
        await scheduler.wait(pauseMs);
        continue;
      }
      expect([created.status, created.text]).toEqual([201, expect.any(String)]);
      const path = pathOf(created);
      for (;;) {
        const { body } = await call(path);
        if (body.status === 'completed') return body.runId;
        expect(['queued', 'in_progress']).toContain(body.status);
        await scheduler.wait(pauseMs);
      }
    }
  });

  expect(new Set(runs).size).toBe(400);
  const started = await t.engine.runs();
  expect(started.map(({ metadata }) => metadata['runId']).sort()).toEqual([...runs].sort());
  expect(new Set(started.map(({ status }) => status))).toEqual(new Set(['completed']));
  const responses = await pool(threads, 50, async (thread) => (await call(thread)).body);
  for (const { activeRunId, messages } of responses) {
    expect(activeRunId).toBeNull();
    const asked = messages.filter(({ role }: { role: string }) => role === 'user');
    expect(asked.map(({ content }: { content: string }) => content).sort()).toEqual(
      [1, 2, 3, 4].map((n) => `Question ${n}?`),
    );
    expect(messages).toHaveLength(8);
  }
}, 120_000);

/** Runs `task` for every item, so many at a time. */
async function pool<T, R>(items: readonly T[], size: number, task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) results[index] = await task(item);
  };
  await Promise.all(Array.from({ length: size }, work));
  return results;
}
