import type { Metadata } from './metadata.ts';
import type { ThreadKey } from './thread.ts';

/** Status of a run; the last four are terminal. */
export type RunStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'expired' | 'cancelled';

/** Why a run did not complete. Stable and independent of the engine. */
export type RunErrorCode =
  /** A content filter blocked the prompt or the reply. */
  | 'content_filter'
  /** The thread exceeds the model's context window. */
  | 'context_length_exceeded'
  /** The engine refused the message or the instructions for another reason. */
  | 'invalid_prompt'
  /** The reply was cut off at the assistant's output limit. */
  | 'max_output_tokens'
  /** The engine's rate limit or quota was exceeded. */
  | 'rate_limited'
  /** The engine failed during the run. */
  | 'engine_error'
  /** The engine did not accept the run, so it was not started. */
  | 'engine_rejected'
  /** The outcome of the run is unknown; the thread may contain the reply. */
  | 'outcome_unknown'
  /** The run was still active at its `expiresAt`. */
  | 'timed_out'
  | 'cancelled';

/** Token usage of a run. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
}

/** Identifies a run. */
export interface RunKey extends ThreadKey {
  readonly runId: string;
}

/** A run as stored: without user content. */
export interface Run extends RunKey {
  readonly assistantId: string;
  readonly status: RunStatus;
  readonly createdAt: Date;
  /** When the service first saw the run in progress. */
  readonly startedAt?: Date;
  /** Set for every terminal run. */
  readonly completedAt?: Date;
  readonly expiresAt: Date;
  /** Why the run failed, expired or was cancelled. Never the engine's own message. */
  readonly errorMessage?: string;
  /** Set together with `errorMessage`. */
  readonly errorCode?: RunErrorCode;
  readonly usage?: Usage;
  /** The engine's id; undefined until the engine has accepted the run. Never leaves the service. */
  readonly responseId?: string;
  /** When the engine accepted the run. */
  readonly submittedAt?: Date;
  /** Absent if it has none. Changes at any time, also after the end; the run's other properties do not. */
  readonly metadata?: Metadata;
}

/** Input of a run. Only the metadata is stored; the response to the create repeats the rest. */
export interface RunInput {
  readonly message: string;
  readonly instructions: string | null;
  readonly metadata?: Metadata;
}
