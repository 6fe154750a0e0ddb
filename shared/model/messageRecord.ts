import type { Metadata } from './metadata.ts';
import type { NewAttachment } from './newMessage.ts';

/** What the service itself knows of a message. Its content is stored by the engine only. */
export interface MessageRecord {
  /** The engine's id. Never leaves the service. */
  readonly itemId: string;
  /** When a client added the message; undefined if it came with a run. */
  readonly createdAt?: Date;
  /** Absent if it has none. */
  readonly metadata?: Metadata;
  /** What the client attached and for which tools: its item tells the files only. Absent if nothing. */
  readonly attachments?: readonly NewAttachment[];
}
