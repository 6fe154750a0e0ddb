/** What names a thread. */
export interface ThreadKey {
  readonly projectId: string;
  readonly threadId: string;
}

/** What is known of a thread before the engine has a conversation for it, and all that a list shows. */
export interface NewThread extends ThreadKey {
  readonly createdAt: Date;
}

/** A conversation of a project; its messages are the engine's, the rest is ours. */
export interface Thread extends NewThread {
  /** The one unfinished run, if any. */
  readonly activeRunId?: string;
  /** The engine's id of it. Never leaves the service. */
  readonly conversationId: string;
}

/** A message as the contract shows it. */
export interface Message {
  readonly messageId: string;
  readonly role: 'user' | 'assistant';
  /** Plain text; parts that are no text are left out. */
  readonly content: string;
}
