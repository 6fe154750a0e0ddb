import type { IdempotencyKey } from './idempotencyKey.ts';

/**
 * The ids that an idempotency key has reserved for the thread that it creates. Every repetition of the create uses the
 * same ids, so that only one of them can add the thread.
 */
export interface Reservation extends IdempotencyKey {
  readonly threadId: string;
  /** The run of the first message, if there is one. */
  readonly runId: string;
  readonly createdAt: Date;
  /** Equal requests without a key of their own followed each other: whose ids these are, a repetition cannot know. */
  readonly ambiguous?: boolean;
}
