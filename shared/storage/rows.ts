import type { TableEntityResult } from '@azure/data-tables';
import { countDown, timePart } from '../model/ids.ts';
import { type Metadata, metadataOf } from '../model/metadata.ts';
import type { Run, RunErrorCode, RunStatus } from '../model/run.ts';
import type { NewThread, Thread } from '../model/thread.ts';
import type { PendingCall } from '../model/toolCalls.ts';
import type { ToolResources } from '../model/toolResources.ts';

/*
 * The table `threads`. A partition holds a thread and its runs: the row `thread`, a row for each run with its id as key,
 * a row `key_…` for each Idempotency-Key, and a row `item_…` for each message of a reply. More partitions of a project are
 * its index, with a row for each thread, newest first; its reservations, with a row for each Idempotency-Key that created
 * a thread; and its files.
 */

export interface ThreadRow {
  createdAt: Date;
  conversationId: string;
  /** Empty when no run is active, because a merge cannot remove a property. */
  activeRunId: string;
  /** The thread is being deleted: no longer visible to clients, but its rows still exist. */
  closed: boolean;
  /** The response to cancel, if a run was active when the thread was closed; otherwise empty. */
  closingResponseId?: string;
  /** Row key of the {@link ReservationRow}, if the thread was created with an idempotency key. */
  creationKey?: string;
  metadata?: MetadataColumn;
  imported?: boolean;
  /** JSON of the calls that the last run left unanswered. */
  openCalls?: string;
  /** JSON of the ids of the files for code interpreters. */
  codeFiles?: string;
  /** JSON of the vector stores for file searches. */
  vectorStores?: string;
}

/**
 * A thread in its project's index. Only the thread's own row decides whether the thread exists. The index row is written
 * first, so a thread is never missing from the index, but an entry may have no thread.
 */
export interface IndexRow {
  createdAt: Date;
  /** The thread's row is known to exist, so lists need not check it. */
  checked: boolean;
  /** The thread is about to be closed, so every list must check its row. */
  closing: boolean;
  /** The thread's metadata may be changing, so lists must read its row until that has settled. */
  changing?: boolean;
  /** A copy of the thread's, for lists. */
  metadata?: MetadataColumn;
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
  /** Empty while a later round is being submitted, because a merge cannot remove a property. */
  responseId?: string;
  /** JSON, because table columns are scalar. */
  replyItemIds?: string;
  submittedAt?: Date;
  /** JSON. */
  earlierResponseIds?: string;
  /** JSON. */
  pendingCalls?: string;
  claimedAt?: Date;
  claimId?: string;
  /** JSON. */
  submissions?: string;
  /** JSON in UTF-8, at most 60 KB. */
  overrides?: Uint8Array;
  inputTokens?: number;
  outputTokens?: number;
  totalTokens?: number;
  metadata?: MetadataColumn;
  /** Marks the run that was active when its thread was closed; all other columns are removed. */
  removed?: boolean;
}

/** JSON in UTF-8, at most 55 KB: as text, which a column stores in UTF-16, escaped metadata could exceed its 64 KB. */
export type MetadataColumn = Uint8Array;

export const toMetadataColumn = (metadata: Metadata): { metadata: MetadataColumn } => ({
  metadata: new TextEncoder().encode(JSON.stringify(metadata)),
});

const toMetadata = (row: { metadata?: MetadataColumn }): { metadata?: Metadata } =>
  metadataOf(row.metadata && JSON.parse(new TextDecoder().decode(row.metadata)));

/** What an idempotency key of the create of a thread has reserved. */
export interface ReservationRow {
  threadId: string;
  /** The run of the first message, if there is one. */
  runId: string;
  createdAt: Date;
  fingerprint: string;
  ambiguous?: boolean;
}

/** Leads from a message of a reply, by the engine's id, to its run. */
export interface ItemRow {
  runId: string;
}

export interface KeyRow {
  runId: string;
  fingerprint: string;
}

export const threadRowKey = 'thread';

/** Returns the partition key of a thread. Ids contain no colon. */
export const toPartitionKey = ({ projectId, threadId }: { projectId: string; threadId: string }) =>
  `${projectId}:${threadId}`;

/** Returns the partition key of a project's reservations. No thread has the same key; see below. */
export const toReservationPartitionKey = (projectId: string) => `${projectId}:keys`;

/** Returns the row key for a message of a reply; undefined for an id that no row can have. */
export const toItemRowKey = (itemId: string): string | undefined =>
  /^[\w-]{1,256}$/.test(itemId) ? `item_${itemId}` : undefined;

const indexPartition = 'threads';

/** Returns the partition key of a project's index. No thread has the same key, since thread ids start with `thread_`. */
export const toIndexPartitionKey = (projectId: string) => `${projectId}:${indexPartition}`;

/** Returns the index row key of a thread. Sorts newest first, including threads with imported ids. */
export const toIndexRowKey = ({ createdAt, threadId }: Pick<NewThread, 'createdAt' | 'threadId'>) =>
  `${countDown(createdAt)}_${threadId}`;

/** Returns the index row key for a thread id; undefined for an imported id, which does not contain the time. */
export function indexRowKeyOf(threadId: string): string | undefined {
  const time = timePart(threadId);
  return time && `${time}_${threadId}`;
}

export function toNewThread(row: TableEntityResult<IndexRow>): NewThread {
  const { partitionKey = '', rowKey = '', createdAt } = row;
  return {
    projectId: partitionKey.slice(0, -indexPartition.length - 1),
    threadId: rowKey.slice(rowKey.indexOf('_') + 1),
    createdAt,
    ...toMetadata(row),
  };
}

export const toThreadRow = (thread: Thread): ThreadRow => ({
  createdAt: thread.createdAt,
  conversationId: thread.conversationId,
  activeRunId: thread.activeRunId ?? '',
  // Always present, because filters do not match missing properties.
  closed: false,
  ...(thread.creationKey !== undefined && { creationKey: thread.creationKey }),
  ...(thread.imported && { imported: true }),
  ...toResourceColumns(thread),
  ...(thread.metadata && toMetadataColumn(thread.metadata)),
});

/** Returns the columns of what is given; an empty list, because a merge cannot remove a property. */
export const toResourceColumns = ({
  codeFiles,
  vectorStores,
}: ToolResources): Pick<ThreadRow, 'codeFiles' | 'vectorStores'> => ({
  ...(codeFiles && { codeFiles: JSON.stringify(codeFiles) }),
  ...(vectorStores && { vectorStores: JSON.stringify(vectorStores) }),
});

export function toThread(row: TableEntityResult<ThreadRow>): Thread {
  const [projectId = '', threadId = ''] = row.partitionKey?.split(':') ?? [];
  return {
    threadId,
    projectId,
    createdAt: row.createdAt,
    conversationId: row.conversationId,
    ...(row.activeRunId && { activeRunId: row.activeRunId }),
    ...(row.creationKey !== undefined && { creationKey: row.creationKey }),
    ...(row.imported && { imported: true }),
    ...(row.openCalls && { openCalls: toPendingCalls(row.openCalls) }),
    ...(row.codeFiles && row.codeFiles !== '[]' && { codeFiles: JSON.parse(row.codeFiles) }),
    ...(row.vectorStores && row.vectorStores !== '[]' && { vectorStores: JSON.parse(row.vectorStores) }),
    ...toMetadata(row),
  };
}

/**
 * Returns the columns of a run, without its keys and its metadata, which a save must not change. Omits undefined values,
 * which a merge leaves unchanged.
 */
export function toRunRow({ runId, threadId, projectId, usage, metadata, ...run }: Run): RunRow {
  const { replyItemIds, earlierResponseIds, pendingCalls, submissions, overrides, ...rest } = run;
  return {
    ...rest,
    ...usage,
    ...(earlierResponseIds && {
      responseId: run.responseId ?? '',
      earlierResponseIds: JSON.stringify(earlierResponseIds),
    }),
    ...(replyItemIds && { replyItemIds: JSON.stringify(replyItemIds) }),
    ...(pendingCalls && { pendingCalls: fromPendingCalls(pendingCalls) }),
    ...(submissions && { submissions: JSON.stringify(submissions) }),
    ...(overrides && { overrides: new TextEncoder().encode(JSON.stringify(overrides)) }),
  };
}

/** Returns calls as a text of a row. A string property holds 32,000 characters, hundreds of calls. */
export const fromPendingCalls = (calls: readonly PendingCall[]): string =>
  JSON.stringify(calls.map(({ kind, callId }) => [kind, callId]));

const toPendingCalls = (text: string): PendingCall[] =>
  JSON.parse(text).map(([kind, callId]: [PendingCall['kind'], string]) => ({ kind, callId }));

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
    ...(row.responseId && { responseId: row.responseId }),
    ...(row.replyItemIds !== undefined && { replyItemIds: JSON.parse(row.replyItemIds) }),
    ...(row.submittedAt && { submittedAt: row.submittedAt }),
    ...(row.earlierResponseIds && { earlierResponseIds: JSON.parse(row.earlierResponseIds) }),
    ...(row.pendingCalls && { pendingCalls: toPendingCalls(row.pendingCalls) }),
    ...(row.claimedAt && { claimedAt: row.claimedAt }),
    ...(row.claimId !== undefined && { claimId: row.claimId }),
    ...(row.submissions && { submissions: JSON.parse(row.submissions) }),
    ...(row.overrides && { overrides: JSON.parse(new TextDecoder().decode(row.overrides)) }),
    ...(inputTokens !== undefined &&
      outputTokens !== undefined &&
      totalTokens !== undefined && { usage: { inputTokens, outputTokens, totalTokens } }),
    ...toMetadata(row),
  };
}
