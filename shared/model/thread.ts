import type { Metadata } from './metadata.ts';
import type { PendingCall } from './toolCalls.ts';

/** Identifies a thread. */
export interface ThreadKey {
  readonly projectId: string;
  readonly threadId: string;
}

/** A thread before the engine has a conversation for it; also an item of a list. */
export interface NewThread extends ThreadKey {
  readonly createdAt: Date;
  /** Absent if it has none. */
  readonly metadata?: Metadata;
}

/** A thread. The engine stores its messages, the service everything else. */
export interface Thread extends NewThread {
  /** The active run, if any. */
  readonly activeRunId?: string;
  /** The engine's id of the conversation. Never leaves the service. */
  readonly conversationId: string;
  /** Row key of the reservation that an idempotency key made for the thread, if it was created with one. */
  readonly creationKey?: string;
  /** Calls that the last run left unanswered. The engine refuses the next response without an output for each. */
  readonly openCalls?: readonly PendingCall[];
  /** Ids of the files that code interpreters of its runs get. */
  readonly codeFiles?: readonly string[];
}

/** Maximum number of files that the code interpreters of a thread get. */
export const maxCodeFiles = 20;
