import { isRunId, isThreadId } from './ids.ts';

/**
 * A queue message that makes sure a run ends or a deletion completes, even if no client returns or the worker stops.
 * Contains ids and a counter only, no user content.
 */
export type FollowUp = RunFollowUp | DeletionFollowUp;

export interface RunFollowUp {
  readonly kind: 'run';
  readonly projectId: string;
  readonly threadId: string;
  readonly runId: string;
  /** Number of earlier follow-ups of the run. */
  readonly attempt: number;
}

export interface DeletionFollowUp {
  readonly kind: 'deletion';
  readonly projectId: string;
  readonly threadId: string;
  /** Number of earlier follow-ups of the deletion. */
  readonly attempt: number;
}

/** Parses the content of a queue message. @returns undefined when it is not a follow-up. */
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
