import { expect, test } from '@jest/globals';
import { createClient } from '../../client/src/index.ts';
import { useService } from '../support/useService.ts';

const t = useService();

const connect = async () =>
  createClient({
    baseUrl: `${t.url}/api`,
    projectId: t.projectId,
    token: await t.issuer.sign({ projects: [t.projectId] }),
  });

test('creates a thread with its first message, follows the run and reads the reply', async () => {
  const client = await connect();
  await t.engine.timing({ queueMs: 0, runMs: 300 });
  const { threadId, run } = await client.threads.create({ message: 'Explain the database schema' });
  const events = [];
  for await (const event of client.runs.follow(threadId, run?.runId ?? '')) events.push(event);
  expect(events.at(-1)).toMatchObject({ event: 'run', id: 'end', data: { status: 'completed' } });
  const text = events.map((event) => (event.event === 'message.delta' ? event.data.delta : '')).join('');
  const messages = [];
  for await (const message of client.threads.messages(threadId, { limit: 1 })) messages.push(message);
  expect(messages.map(({ role, content }) => [role, content])).toEqual([
    ['user', 'Explain the database schema'],
    ['assistant', text],
  ]);
  const { runId } = await client.runs.create(threadId, { message: 'And again?' });
  expect(await client.runs.completed(threadId, runId)).toMatchObject({ runId, status: 'completed' });
  expect((await client.runs.list(threadId)).runs).toHaveLength(2);
  await client.threads.delete(threadId);
});
