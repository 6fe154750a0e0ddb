import { expect, test } from '@jest/globals';
import { createThreadStore } from '../../../client/react/threadStore.ts';
import { createClient } from '../../../client/src/index.ts';
import { until } from '../../support/until.ts';
import { useService } from '../../support/useService.ts';

const t = useService();

test('x', async () => {
  await t.engine.timing({ queueMs: 50, runMs: 500 });
  const client = createClient({
    baseUrl: `${t.url}/api`,
    projectId: t.projectId,
    token: () => t.issuer.sign({ projects: [t.projectId] }),
  });
  const thread = await client.threads.create();
  const store = createThreadStore(client, thread.threadId);
  const seen: unknown[] = [];
  const leave = store.subscribe(() => {
    const s = store.getSnapshot();
    seen.push([s.status, s.error?.message, s.messages.map((m) => [m.role, m.status, m.content.length])]);
  });
  await until('loaded', () => store.getSnapshot().status === 'ready');
  expect(store.submit('Explain the database schema')).toBe(true);
  await until(
    'done',
    () =>
      store.getSnapshot().run?.status === 'completed' &&
      store.getSnapshot().messages.every((m) => m.messageId),
  );
  console.log(JSON.stringify(seen, null, 0).replaceAll('],["', '],\n["'), store.getSnapshot());
  leave();
});
