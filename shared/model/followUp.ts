import { isRunId, isThreadId } from './ids.ts';

/**
 * A message that outlives the request and the worker that sent it: a run is looked after until it has ended, a deletion
 * until it is done. Ids and a counter only; the queue holds nothing of what people wrote.
 */
export type FollowUp = RunFollowUp | DeletionFollowUp;

export interface RunFollowUp {
  readonly kind: 'run';
  readonly projectId: string;
  readonly threadId: string;
  readonly runId: string;
  /** Follow-ups of the same run before this one. */
  readonly attempt: number;
}

export interface DeletionFollowUp {
  readonly kind: 'deletion';
  readonly projectId: string;
  readonly threadId: string;
  /** Follow-ups of the same deletion before this one. */
  readonly attempt: number;
}

/** Reads a message's content; undefined when it is not a follow-up. */
export function parseFollowUp(content: unknown): FollowUp | undefined {
  if (typeof content !== 'object' || content === null) return undefined;
  const { kind, projectId, threadId, runId, attempt } = content as Partial<Record<string, unknown>>;
  if (typeof projectId !== 'string' || projectId === '') return undefined;
  if (typeof threadId !== 'string' || !isThreadId(threadId)) return undefined;
  if (typeof attempt !== 'number' || !Number.isSafeInteger(attempt) || attempt < 0) return undefined;
  if (kind === 'deletion') return { kind, projectId, threadId, attempt };
  if (kind !== 'run' || typeof runId !== 'string' || !isRunId(runId)) return undefined;
  return { kind, projectId, threadId, runId, attempt };
}
