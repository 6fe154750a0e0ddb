import type { TableEntityResult } from '@azure/data-tables';
import { countDown, timePart } from '../model/ids.ts';
import type { Run, RunErrorCode, RunStatus } from '../model/run.ts';
import type { NewThread, Thread } from '../model/thread.ts';

/*
 * The table `threads`. A thread and all its runs are one partition: the row `thread`, a row for each run by its id,
 * a row `key_…` for each Idempotency-Key. The threads of a project are listed in a partition of their own, the index:
 * a row for each, newest first.
 */

export interface ThreadRow {
  createdAt: Date;
  conversationId: string;
  /** Empty when no run is active: a merge cannot remove a property. */
  activeRunId: string;
  /** Being deleted: no longer there for anyone, but still to be cleared away. */
  closed: boolean;
  /** On a closed thread: the response of the run that was active then, still to be cancelled; else empty. */
  closingResponseId?: string;
}

/**
 * A thread in its project's index. Only the thread's own row says whether there is such a thread; this one is written
 * before it and removed before it, so an index row can be ahead of its thread but never missing.
 */
export interface IndexRow {
  createdAt: Date;
  /** The thread's row was seen to be there, so a list need not look for it. */
  checked: boolean;
  /** The thread is about to be closed: it has to be looked for by every list from now on. */
  closing: boolean;
}

export interface RunRow {
  status: RunStatus;
  assistantId: string;
  createdAt: Date;
  expiresAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  errorMessage?: string;
  errorCode?: RunErrorCode;
  responseId?: string;
  submittedAt?: Date;
  inputTokens?: number;
  outputTokens?: number;
  totalTokens?: number;
  /** Left of a run whose thread was closed while it was active; all other columns are gone. */
  removed?: boolean;
}

export interface KeyRow {
  runId: string;
  fingerprint: string;
}

export const threadRowKey = 'thread';

/** Neither id has a colon. */
export const toPartitionKey = ({ projectId, threadId }: { projectId: string; threadId: string }) =>
  `${projectId}:${threadId}`;

const indexPartition = 'threads';

/** No thread has it as its own partition: a thread's id begins with `thread_`. */
export const toIndexPartitionKey = (projectId: string) => `${projectId}:${indexPartition}`;

/** By time, newest first, also for ids that did not come from here. */
export const toIndexRowKey = ({ createdAt, threadId }: Pick<NewThread, 'createdAt' | 'threadId'>) =>
  `${countDown(createdAt)}_${threadId}`;

/** The index row of a thread by its id alone; undefined when the id does not tell its time. */
export function indexRowKeyOf(threadId: string): string | undefined {
  const time = timePart(threadId);
  return time && `${time}_${threadId}`;
}

export function toNewThread({
  partitionKey = '',
  rowKey = '',
  createdAt,
}: TableEntityResult<IndexRow>): NewThread {
  return {
    projectId: partitionKey.slice(0, -indexPartition.length - 1),
    threadId: rowKey.slice(rowKey.indexOf('_') + 1),
    createdAt,
  };
}

export const toThreadRow = (thread: Thread): ThreadRow => ({
  createdAt: thread.createdAt,
  conversationId: thread.conversationId,
  activeRunId: thread.activeRunId ?? '',
  // Always there: a filter finds no row by a property that it lacks.
  closed: false,
});

export function toThread(row: TableEntityResult<ThreadRow>): Thread {
  const [projectId = '', threadId = ''] = row.partitionKey?.split(':') ?? [];
  return {
    threadId,
    projectId,
    createdAt: row.createdAt,
    conversationId: row.conversationId,
    ...(row.activeRunId && { activeRunId: row.activeRunId }),
  };
}

/** Without what the keys say already. Absent values are left out: a merge leaves them as they are. */
export function toRunRow({ runId, threadId, projectId, usage, ...rest }: Run): RunRow {
  return { ...rest, ...usage };
}

export function toRun(row: TableEntityResult<RunRow>): Run {
  const { inputTokens, outputTokens, totalTokens } = row;
  const [projectId = '', threadId = ''] = row.partitionKey?.split(':') ?? [];
  return {
    runId: row.rowKey ?? '',
    threadId,
    projectId,
    assistantId: row.assistantId,
    status: row.status,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    ...(row.startedAt && { startedAt: row.startedAt }),
    ...(row.completedAt && { completedAt: row.completedAt }),
    ...(row.errorMessage !== undefined && { errorMessage: row.errorMessage }),
    ...(row.errorCode !== undefined && { errorCode: row.errorCode }),
    ...(row.responseId !== undefined && { responseId: row.responseId }),
    ...(row.submittedAt && { submittedAt: row.submittedAt }),
    ...(inputTokens !== undefined &&
      outputTokens !== undefined &&
      totalTokens !== undefined && { usage: { inputTokens, outputTokens, totalTokens } }),
  };
}
