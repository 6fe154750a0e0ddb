import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { toIdempotencyKey } from '../../../shared/model/idempotencyKey.ts';
import { newId } from '../../../shared/model/ids.ts';
import type { Run } from '../../../shared/model/run.ts';
import { applyEngineState, failRejected } from '../../../shared/model/runState.ts';
import type { Stored } from '../../../shared/model/stored.ts';
import type { Thread } from '../../../shared/model/thread.ts';
import { createRunStore, type RunStore } from '../../../shared/storage/runStore.ts';
import { openTable } from '../../../shared/storage/tables.ts';
import { createThreadStore, type ThreadStore } from '../../../shared/storage/threadStore.ts';

let runs: RunStore;
let threads: ThreadStore;

beforeAll(async () => {
  const connectionString = process.env['TEST_TABLES_CONNECTION_STRING'] ?? '';
  const table = await openTable({ connectionString }, 'threads');
  await table.createTable();
  runs = createRunStore(async () => table);
  threads = createThreadStore(async () => table);
});

async function addThread(): Promise<Stored<Thread>> {
  const createdAt = new Date();
  const thread = {
    projectId: randomUUID(),
    threadId: newId('thread', createdAt),
    createdAt,
    conversationId: 'conv_1',
  };
  await threads.add(thread);
  const stored = await threads.find(thread);
  if (!stored) throw new Error('the thread was not added');
  return stored;
}

function newRun({ value: { projectId, threadId } }: Stored<Thread>): Run {
  const createdAt = new Date();
  return {
    ...{ runId: newId('run', createdAt), threadId, projectId, assistantId: 'asst_1', status: 'queued' },
    ...{ createdAt, expiresAt: new Date(createdAt.getTime() + 60_000) },
  };
}

async function claim(thread: Stored<Thread>, run = newRun(thread)): Promise<Stored<Run>> {
  const claimed = await runs.claim(thread, run);
  if (typeof claimed === 'string') throw new Error(`the claim gave ${claimed}`);
  return claimed;
}

const cancelled = (run: Run) => applyEngineState(run, { status: 'cancelled' }, new Date(), 16);
const activeRunOf = async ({ value }: Stored<Thread>) => (await threads.find(value))?.value.activeRunId;

test('a claim that is repeated, because its response was lost, gives the run of its first try', async () => {
  const thread = await addThread();
  const run = newRun(thread);
  const first = await claim(thread, run);
  expect(await claim(thread, run)).toEqual({ value: run, etag: first.etag });
});

test('a claim that is repeated after its run was cancelled does not give that run to be submitted', async () => {
  const thread = await addThread();
  const run = newRun(thread);
  const first = await claim(thread, run);
  await runs.save(first, cancelled(run));
  expect(await runs.claim(thread, run)).toBe('conflict');
  const key = toIdempotencyKey('key', { message: 'x', instructions: null });
  expect(await runs.claim(thread, run, key)).toBe('conflict');
});

test('a save on a finished run writes nothing, and leaves its thread to the run that has it now', async () => {
  const thread = await addThread();
  const first = await claim(thread);
  const ended = await runs.save(first, cancelled(first.value));
  if (!ended) throw new Error('the first save was refused');
  const freed = await threads.find(thread.value);
  if (!freed) throw new Error('the thread is gone');
  const second = await claim(freed);

  expect(
    await runs.save(ended, failRejected({ ...first.value, status: 'queued' }, new Date())),
  ).toBeUndefined();
  expect(await runs.save(first, failRejected(first.value, new Date()))).toBeUndefined();
  expect(await activeRunOf(thread)).toBe(second.value.runId);
});
