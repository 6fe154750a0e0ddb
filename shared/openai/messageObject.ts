import type { Run } from '../model/run.ts';
import type { Thread } from '../model/thread.ts';
import type { ThreadMessage } from '../threads/threadMessages.ts';
import { toUnixSeconds, type WireMessage } from './wire.ts';

/**
 * Returns a message as the Assistants API sends it. Its text parts are one, as in the project API.
 * @param run that created the message, if the caller knows it.
 */
export function toWireMessage(
  { threadId, createdAt: threadCreatedAt }: Pick<Thread, 'threadId' | 'createdAt'>,
  message: ThreadMessage,
  run?: Run,
): WireMessage {
  const createdAt = toUnixSeconds(message.createdAt ?? run?.completedAt ?? threadCreatedAt);
  return {
    id: message.messageId,
    object: 'thread.message',
    created_at: createdAt,
    assistant_id: message.assistantId ?? run?.assistantId ?? null,
    thread_id: threadId,
    run_id: message.runId ?? run?.runId ?? null,
    role: message.role,
    status: 'completed',
    incomplete_details: null,
    completed_at: createdAt,
    incomplete_at: null,
    content: [{ type: 'text', text: { value: message.content, annotations: [] } }],
    attachments: [],
    metadata: message.metadata ?? {},
  };
}
