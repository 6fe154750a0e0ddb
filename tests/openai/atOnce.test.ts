import { beforeAll, describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { failureOf, openClient } from '../support/assistantsApi.ts';
import { rowsOf, threadsTable } from '../support/table.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* Requests for the same object at the same time, and lists of what is being deleted. */

const t = useService();
let projectId = '';
let client: OpenAI;
beforeAll(async () => {
  ({ projectId } = await t.addProject({ editors: ['editor'] }));
  client = await openClient(t, { projectId, claims: { projects: [projectId], sub: 'editor' } });
});

const times = <T>(number: number, call: (index: number) => T) =>
  Array.from({ length: number }, (_, index) => call(index));

/** Opens a thread with as many messages. */
const openThread = async (number: number) =>
  (
    await client.beta.threads.create({
      messages: times(number, (index) => ({ role: 'user', content: `${index}` })),
    })
  ).id;

const firstOf = async (threadId: string) =>
  (await client.beta.threads.messages.list(threadId)).data[0]?.id ?? '';

const removeMessage = (thread_id: string, id: string) =>
  client.beta.threads.messages.delete(id, { thread_id });

const addAssistant = async () => (await client.beta.assistants.create({ model: 'gpt-5-mini' })).id;

/** Returns a fault that changes the row of a thread or an assistant before a round trip. */
async function changing(id: string) {
  const isRow = ({ partitionKey, rowKey }: Record<string, unknown>) =>
    rowKey === id || (rowKey === 'thread' && partitionKey === `${projectId}:${id}`);
  const { partitionKey, rowKey } = (await rowsOf(projectId)).find(isRow) as Record<string, string>;
  const table = await threadsTable();
  const row = { partitionKey: partitionKey ?? '', rowKey: rowKey ?? '' };
  return { before: () => table.updateEntity({ ...row, changedAt: new Date() }, 'Merge') };
}

describe('while others change it again and again', () => {
  test('a thread gets a message with its file', async () => {
    const id = await openThread(0);
    const file = await toFile(Buffer.from('A file'), 'a.txt');
    const { id: file_id } = await client.files.create({ file, purpose: 'assistants' });
    const fault = await changing(id);
    t.store.inject({ kind: 'merge', row: 'thread' }, fault, 11);
    t.store.inject({ kind: 'transaction', row: 'thread' }, fault, 11);
    await client.beta.threads.messages.create(id, {
      ...{ role: 'user', content: 'Hello' },
      attachments: [{ file_id, tools: [{ type: 'code_interpreter' }] }],
    });
    const { tool_resources } = await client.beta.threads.retrieve(id);
    expect(tool_resources?.code_interpreter?.file_ids).toEqual([file_id]);
  });

  test('a thread gets a run', async () => {
    const id = await openThread(1);
    t.store.inject({ kind: 'transaction', row: 'thread' }, await changing(id), 11);
    const run = await client.beta.threads.runs.create(id, { assistant_id: 'asst_test' });
    expect(run.status).toBe('queued');
  });

  test('an assistant is changed', async () => {
    const id = await addAssistant();
    t.store.inject('other', await changing(id), 8);
    expect((await client.beta.assistants.update(id, { name: 'New' })).name).toBe('New');
  });

  test('a thread is deleted', async () => {
    const id = await openThread(1);
    t.store.inject({ kind: 'transaction', row: 'thread' }, await changing(id), 8);
    expect(await client.beta.threads.delete(id)).toMatchObject({ id, deleted: true });
  });
});

test('of two deletions of a message at the same time, the later one does not find it', async () => {
  const id = await openThread(3);
  const message = await firstOf(id);
  const path = '/v1/conversations/*/items';
  await t.engine.reset();
  await t.engine.fault({ method: 'GET', path, exact: true }, { kind: 'delay', ms: 1_000 });
  const late = failureOf(removeMessage(id, message));
  await until('it has found the message', async () =>
    (await t.engine.calls()).some((call) => call.endsWith('/items')),
  );
  await removeMessage(id, message);
  expect(await late).toMatchObject({ status: 404 });
});

test('an assistant is deleted though the store loses the response', async () => {
  const id = await addAssistant();
  t.store.inject('delete', 'lose');
  expect(await client.beta.assistants.delete(id)).toMatchObject({ id, deleted: true });
});

describe('a list whose items are deleted while it is read', () => {
  test('of messages reaches all', async () => {
    const id = await openThread(7);
    for await (const message of client.beta.threads.messages.list(id, { limit: 3 })) {
      await removeMessage(id, message.id);
    }
    expect((await client.beta.threads.messages.list(id)).data).toEqual([]);
  });

  test('of assistants reaches all', async () => {
    await Promise.all(times(4, addAssistant));
    for await (const { id } of client.beta.assistants.list({ limit: 3 })) {
      if (id !== 'asst_test') await client.beta.assistants.delete(id);
    }
    expect((await client.beta.assistants.list()).data.map(({ id }) => id)).toEqual(['asst_test']);
    const error = await failureOf(client.beta.assistants.list({ after: 'asst_unknown' }));
    expect(error).toMatchObject({ status: 400, param: 'after' });
  });
});
