import type { AssistantOverrides } from './assistant.ts';
import type { Metadata } from './metadata.ts';
import type { NewMessage } from './newMessage.ts';
import type { ThreadKey } from './thread.ts';
import type { PendingCall } from './toolCalls.ts';

/** Status of a run; the last four are terminal. */
export type RunStatus =
  | 'queued'
  | 'in_progress'
  /** The run waits for outputs of tool calls or for approvals. */
  | 'requires_action'
  | 'completed'
  | 'failed'
  | 'expired'
  | 'cancelled';

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
  /** A vector store that the thread or its assistant names was deleted, or has expired, while the run waited. */
  | 'vector_store_not_found'
  /** The outcome of the run is unknown; the thread may contain the reply. */
  | 'outcome_unknown'
  /** The assistant asked for tool calls in more rounds than a run may have. */
  | 'too_many_tool_rounds'
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
  /** What the run's own request changes in its assistant. */
  readonly overrides?: AssistantOverrides;
  readonly status: RunStatus;
  readonly createdAt: Date;
  /** When the service first saw the run in progress; when the engine accepted it, if it had completed by then. */
  readonly startedAt?: Date;
  /** Set for every terminal run. */
  readonly completedAt?: Date;
  readonly expiresAt: Date;
  /** Why the run failed, expired or was cancelled. Never the engine's own message. */
  readonly errorMessage?: string;
  /** Set together with `errorMessage`. */
  readonly errorCode?: RunErrorCode;
  /** Sum over the completed rounds. */
  readonly usage?: Usage;
  /** The engine's id of the current round; undefined until the engine has accepted it. Never leaves the service. */
  readonly responseId?: string;
  /** The engine's ids of the messages of its reply, once it has ended. Never leave the service. */
  readonly replyItemIds?: readonly string[];
  /** When the engine accepted the current round. */
  readonly submittedAt?: Date;
  /** The engine's ids of the rounds before, oldest first. */
  readonly earlierResponseIds?: readonly string[];
  /**
   * Calls whose outputs are not known to be in the conversation: those that the run waits for or whose outputs are being
   * submitted; before the first round has ended, those that an earlier run left unanswered.
   */
  readonly pendingCalls?: readonly PendingCall[];
  /** When the current round was claimed, and by which request; undefined for the first round. */
  readonly claimedAt?: Date;
  readonly claimId?: string;
  /** Fingerprints of the accepted submissions of outputs. */
  readonly submissions?: readonly string[];
  /** Absent if it has none. Changes at any time, also after the end; the run's other properties do not. */
  readonly metadata?: Metadata;
}

/** Returns the index of a run's current round; 0 is the first. */
export const roundOf = ({ earlierResponseIds = [] }: Run): number => earlierResponseIds.length;

/** Input of a run. Only the metadata is stored; the response to the create repeats the rest. */
export interface RunInput {
  /** Null for a run over the messages that the thread has. */
  readonly message: string | null;
  readonly instructions: string | null;
  /** Whether the instructions replace those of the assistant. The project's own are always kept. */
  readonly replacesInstructions?: boolean;
  /** Messages that the run adds to the thread, before `message`. */
  readonly messages?: readonly NewMessage[];
  readonly metadata?: Metadata;
  /** Ids of the files that the message carries. */
  readonly attachments?: readonly string[];
}
