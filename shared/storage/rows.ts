import type { TableEntityResult } from '@azure/data-tables';
import type { Run, RunErrorCode, RunStatus } from '../runs/run.ts';
import type { Thread } from '../threads/thread.ts';

/*
 * The table `threads`. A thread and all its runs are one partition: the row `thread`, a row for each run by its id,
 * a row `key_…` for each Idempotency-Key.
 */

export interface ThreadRow {
  createdAt: Date;
  conversationId: string;
  /** Empty when no run is active: a merge cannot remove a property. */
  activeRunId: string;
  /** Being deleted: no longer there for anyone, but still to be cleared away. */
  closed: boolean;
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
}

export interface KeyRow {
  runId: string;
  fingerprint: string;
}

export const threadRowKey = 'thread';

/** Neither id has a colon. */
export const toPartitionKey = ({ projectId, threadId }: { projectId: string; threadId: string }) =>
  `${projectId}:${threadId}`;

/** Something read from or written to the store, with the version it had then. */
export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
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
    ...(row.activeRunId !== '' && { activeRunId: row.activeRunId }),
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
