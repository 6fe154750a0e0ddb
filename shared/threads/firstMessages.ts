import { metadataOf } from '../model/metadata.ts';
import type { InputMessage } from '../model/newMessage.ts';
import type { Thread } from '../model/thread.ts';
import type { RunServices } from '../runs/runServices.ts';
import { type LabelledMessage, putRecords } from './messageRecords.ts';

/** Number of messages that the engine adds at once. */
const appendBatch = 20;

/** Timeout of adding a batch, and time reserved for undoing the create, in milliseconds. */
const appendMs = 10_000;
const undoMs = 12_000;

/** Adds messages to the conversation of a thread that nobody knows yet. @returns the engine's ids of them. */
export async function appendFirstMessages(
  { engine, deadline }: RunServices,
  { conversationId }: Thread,
  messages: readonly InputMessage[],
): Promise<string[]> {
  const itemIds: string[] = [];
  for (let start = 0; start < messages.length; start += appendBatch) {
    const batch = messages.slice(start, start + appendBatch);
    const timeoutMs = deadline.remaining(appendMs, undoMs);
    const added = await engine.appendMessages(conversationId, batch, timeoutMs);
    itemIds.push(...added.map(({ messageId }) => messageId));
  }
  return itemIds;
}

/** Maximum number of records saved at once. */
const recordBatch = 90;

/**
 * Saves the metadata and attachments of a new thread's messages, and that the last one is as old as the thread. A run that replies to it
 * may come much later.
 */
export async function recordFirstMessages(
  services: RunServices,
  thread: Thread,
  messages: readonly LabelledMessage[],
  itemIds: readonly string[],
): Promise<void> {
  const records = itemIds.flatMap((itemId, index) => {
    const labels = metadataOf(messages[index]?.metadata);
    const { attachments } = messages[index] ?? {};
    const isLast = index === itemIds.length - 1;
    return labels.metadata || attachments || isLast
      ? [
          {
            itemId,
            ...labels,
            ...(attachments && { attachments }),
            ...(isLast && { createdAt: thread.createdAt }),
          },
        ]
      : [];
  });
  for (let start = 0; start < records.length; start += recordBatch) {
    await putRecords(services, thread, records.slice(start, start + recordBatch));
  }
}
