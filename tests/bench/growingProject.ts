import { createHash, randomUUID } from 'node:crypto';
import type { TransactionAction } from '@azure/data-tables';
import { newId } from '../../shared/model/ids.ts';
import { sealMessageId } from '../../shared/model/messageId.ts';
import type { Run } from '../../shared/model/run.ts';
import { createProjectStore } from '../../shared/storage/projectStore.ts';
import {
  type ThreadRow,
  threadRowKey,
  toIndexPartitionKey,
  toIndexRowKey,
  toPartitionKey,
  toRunRow,
} from '../../shared/storage/rows.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { createClient } from './client.ts';
import { pool } from './load.ts';
import { type Ground, message, type World } from './world.ts';

/** Amounts of data: projects, threads of one project, runs of one thread, and its messages. */
export interface Size {
  readonly count: number;
  readonly messages: number;
}

/** Cursors in the middle of the lists, and projects that have not been requested. */
export interface Grown {
  readonly threadId: string;
  readonly runId: string;
  readonly messageId: string;
  readonly projectIds: readonly string[];
}

/** Time of a row: one per minute, oldest first, all before the benchmark. */
const dateOf = (index: number) => new Date(Date.UTC(2026, 0, 1) + index * 60_000);

/** Number of projects per size that have not been requested. */
const projectsAsked = 20;

/** One in so many runs has failed; the others are completed. */
const failedEvery = 100;

const transactionLimit = 100;

/**
 * Maximum number of projects. Each is a partition with the same row key, and on every insert Azurite scans all rows
 * with that key: 100,000 would take a quarter of an hour. Azure looks up the partition key.
 */
const mostProjects = 10_000;

/**
 * Grows a project with rows and items written directly to the store and the engine, as the service would. Other threads
 * have only index entries, because their own partitions are not read here.
 * @param threadPath path of the thread whose runs and messages grow.
 */
export async function openGrowingProject(
  { connectionString }: Ground,
  { project: { projectId, assistantId }, engine }: World,
  threadPath: string,
) {
  const threadId = threadPath.slice(threadPath.lastIndexOf('/') + 1);
  const table = await openTable({ connectionString }, 'threads');
  const projects = await openTable({ connectionString }, 'projects');
  const projectStore = createProjectStore(async () => projects);
  const partitionKey = toPartitionKey({ projectId, threadId });
  const { conversationId } = await table.getEntity<ThreadRow>(partitionKey, threadRowKey);
  const api = createClient(engine.url, 'bench-engine-key');
  const threadIds: string[] = [];
  const runIds: string[] = [];
  const itemIds: string[] = [];

  const insert = async (rows: readonly { partitionKey: string; rowKey: string }[]) => {
    const batches = Math.ceil(rows.length / transactionLimit);
    await pool(batches, 4, (index) => {
      const batch = rows.slice(index * transactionLimit, (index + 1) * transactionLimit);
      return table.submitTransaction(batch.map((row): TransactionAction => ['create', row]));
    });
  };

  const growTo = <T>(known: T[], count: number, add: (index: number) => T): T[] => {
    const added = Array.from({ length: count - known.length }, (_, index) => add(known.length + index));
    known.push(...added);
    return added;
  };

  const addThreads = (count: number) => {
    const first = threadIds.length;
    const added = growTo(threadIds, count, (index) => newId('thread', dateOf(index)));
    return insert(
      added.map((id, index) => ({
        partitionKey: toIndexPartitionKey(projectId),
        rowKey: toIndexRowKey({ threadId: id, createdAt: dateOf(first + index) }),
        createdAt: dateOf(first + index),
        checked: true,
        closing: false,
      })),
    );
  };

  const addRuns = (count: number) => {
    const first = runIds.length;
    const added = growTo(runIds, count, (index) => newId('run', dateOf(index)));
    return insert(
      added.flatMap((runId, index) => {
        const createdAt = dateOf(first + index);
        const run: Run = {
          ...{ runId, threadId, projectId, assistantId, createdAt },
          status: index % failedEvery === 0 ? 'failed' : 'completed',
          expiresAt: new Date(createdAt.getTime() + 600_000),
          startedAt: createdAt,
          completedAt: createdAt,
          responseId: `resp_${runId}`,
        };
        const fingerprint = createHash('sha256').update(runId).digest('hex');
        return [
          { partitionKey, rowKey: runId, ...toRunRow(run) },
          { partitionKey, rowKey: `key_${fingerprint}`, runId, fingerprint },
        ];
      }),
    );
  };

  const addMessages = async (count: number) => {
    while (itemIds.length < count) {
      const items = Array.from({ length: Math.min(20, count - itemIds.length) }, (_, index) => ({
        type: 'message',
        role: index % 2 === 0 ? 'user' : 'assistant',
        content: message,
      }));
      const { text } = await api.call('POST', `/conversations/${conversationId}/items`, 200, { items });
      itemIds.push(...JSON.parse(text).data.map(({ id }: { id: string }) => id));
    }
  };

  let projectCount = 0;
  const addProjects = async (wanted: number) => {
    // New projects for every size, because the service caches those requested before.
    const count = Math.max(Math.min(wanted, mostProjects) - projectCount, projectsAsked);
    const added = Array.from({ length: count }, () => randomUUID());
    projectCount += count;
    const rest = { name: 'Benchmark', assistantId, members: [], groups: [] };
    await pool(count, 16, (index) => projectStore.put({ projectId: added[index] ?? '', ...rest }));
    return added.slice(-projectsAsked);
  };

  const middle = <T>(of: readonly T[]) => of[Math.floor(of.length / 2)] as T;
  return {
    /** Grows to a size that is not smaller than the previous one. */
    async grow({ count, messages }: Size): Promise<Grown> {
      const [projectIds] = [await addProjects(count), await addThreads(count), await addRuns(count)];
      await addMessages(messages);
      return {
        threadId: middle(threadIds),
        runId: middle(runIds),
        messageId: sealMessageId(conversationId, middle(itemIds)),
        projectIds,
      };
    },
    close: () => api.close(),
  };
}
