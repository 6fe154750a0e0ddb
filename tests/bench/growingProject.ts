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

/** How much there is: so many projects, threads in one of them and runs in one of those, with so many messages. */
export interface Size {
  readonly count: number;
  readonly messages: number;
}

/** What stands in the middle of the lists, and projects that have not been asked for yet. */
export interface Grown {
  readonly threadId: string;
  readonly runId: string;
  readonly messageId: string;
  readonly projectIds: readonly string[];
}

/** Oldest rows first, one a minute, all of them before the benchmark. */
const dateOf = (index: number) => new Date(Date.UTC(2026, 0, 1) + index * 60_000);

/** How many projects of a size are left to be asked for the first time. */
const projectsAsked = 20;

/** Of runs; the others are completed. */
const failedEvery = 100;

const transactionLimit = 100;

/**
 * More projects are not written: each is a partition of its own with the same row key, and Azurite looks through all
 * rows of a row key at every insert, which takes a quarter of an hour for 100,000. Azure goes by the partition key.
 */
const mostProjects = 10_000;

/**
 * Lets a project grow by rows and items that are written directly to the store and the engine, as the service would
 * have left them. Other threads have their entry in the index only: their own rows are partitions of their own, which
 * nothing measured here reads.
 * @param threadPath of the thread whose runs and messages grow.
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
    // A few more at every size: those that an earlier size has asked for are remembered by the service.
    const count = Math.max(Math.min(wanted, mostProjects) - projectCount, projectsAsked);
    const added = Array.from({ length: count }, () => randomUUID());
    projectCount += count;
    const rest = { name: 'Benchmark', assistantId, members: [], groups: [] };
    await pool(count, 16, (index) => projectStore.put({ projectId: added[index] ?? '', ...rest }));
    return added.slice(-projectsAsked);
  };

  const middle = <T>(of: readonly T[]) => of[Math.floor(of.length / 2)] as T;
  return {
    /** Adds what is missing to a size that is no smaller than the one before. */
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
