import type { Metadata } from './metadata.ts';
import type { PendingCall } from './toolCalls.ts';
import type { ToolResources } from './toolResources.ts';

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
export interface Thread extends NewThread, ToolResources {
  /** The active run, if any. */
  readonly activeRunId?: string;
  /** The engine's id of the conversation. Never leaves the service. */
  readonly conversationId: string;
  /** Row key of the reservation that an idempotency key made for the thread, if it was created with one. */
  readonly creationKey?: string;
  /** Whether it was imported: all its earlier messages have a record. */
  readonly imported?: true;
  /** Calls that the last run left unanswered. The engine refuses the next response without an output for each. */
  readonly openCalls?: readonly PendingCall[];
}
