import type { ThreadKey } from './thread.ts';

/** How a run stands; the last four are ends. */
export type RunStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'expired' | 'cancelled';

/** Why a run did not complete, in words that stay the same whatever the engine; clients may compare them. */
export type RunErrorCode =
  /** The prompt or the reply was stopped by a content filter. */
  | 'content_filter'
  /** The thread no longer fits into the model's context. */
  | 'context_length_exceeded'
  /** The engine refused the message or the instructions for another reason. */
  | 'invalid_prompt'
  /** The reply was cut off at the assistant's limit. */
  | 'max_output_tokens'
  /** The engine's limit or quota was reached. */
  | 'rate_limited'
  /** The engine failed while it worked on the run. */
  | 'engine_error'
  /** The engine did not accept the run, and nothing of it was started. */
  | 'engine_rejected'
  /** Nobody can tell what became of the run; the thread may hold the reply. */
  | 'outcome_unknown'
  /** The run was still unfinished at its `expiresAt`. */
  | 'timed_out'
  | 'cancelled';

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
}

/** What names a run. */
export interface RunKey extends ThreadKey {
  readonly runId: string;
}

/** A run as the service keeps it: nothing of what people wrote. */
export interface Run extends RunKey {
  readonly assistantId: string;
  readonly status: RunStatus;
  readonly createdAt: Date;
  /** The first moment the service knows the run was being worked on. */
  readonly startedAt?: Date;
  /** Set for every end. */
  readonly completedAt?: Date;
  readonly expiresAt: Date;
  /** Why it failed, expired or was cancelled; a sentence of ours, never the engine's. */
  readonly errorMessage?: string;
  /** The same for programs; set together with `errorMessage`. */
  readonly errorCode?: RunErrorCode;
  readonly usage?: Usage;
  /** The engine's id; absent until the engine has accepted the run. Never leaves the service. */
  readonly responseId?: string;
  /** When the engine accepted the run. */
  readonly submittedAt?: Date;
}

/** What a client posted, which only the answer to that very request repeats. */
export interface RunInput {
  readonly message: string;
  readonly instructions: string | null;
}
