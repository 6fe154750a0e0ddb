import type { PendingCall } from './toolCalls.ts';

/** Identifies a thread. */
export interface ThreadKey {
  readonly projectId: string;
  readonly threadId: string;
}

/** A thread before the engine has a conversation for it; also an item of a list. */
export interface NewThread extends ThreadKey {
  readonly createdAt: Date;
}

/** A thread. The engine stores its messages, the service everything else. */
export interface Thread extends NewThread {
  /** The active run, if any. */
  readonly activeRunId?: string;
  /** The engine's id of the conversation. Never leaves the service. */
  readonly conversationId: string;
  /** Calls that the last run left unanswered. The engine refuses the next response without an output for each. */
  readonly openCalls?: readonly PendingCall[];
}
