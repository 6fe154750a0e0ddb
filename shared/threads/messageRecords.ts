import { AppError } from '../errors.ts';
import type { MessageRecord } from '../model/messageRecord.ts';
import type { Metadata } from '../model/metadata.ts';
import type { NewMessage } from '../model/newMessage.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { RunServices } from '../runs/runServices.ts';

/** A message that a client adds, with its metadata. */
export interface LabelledMessage extends NewMessage {
  readonly metadata?: Metadata | undefined;
}

/** Maximum attempts to save records. An attempt is repeated only after a concurrent change of the thread. */
const maxPuts = 10;

/** Saves records of messages. @throws {AppError} thread_not_found when the thread was deleted; unavailable. */
export async function putRecords(
  { threads, messages }: RunServices,
  threadKey: ThreadKey,
  records: readonly MessageRecord[],
): Promise<void> {
  for (let puts = 0; puts < maxPuts; puts++) {
    const thread = await threads.find(threadKey);
    if (!thread) throw new AppError('thread_not_found');
    if (await messages.put(thread, records)) return;
  }
  throw new AppError('unavailable');
}
