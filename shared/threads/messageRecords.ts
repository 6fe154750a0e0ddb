import { AppError } from '../errors.ts';
import type { MessageRecord } from '../model/messageRecord.ts';
import type { Metadata } from '../model/metadata.ts';
import type { NewMessage } from '../model/newMessage.ts';
import type { ThreadKey } from '../model/thread.ts';
import { retryConflicts } from '../retryConflicts.ts';
import type { RunServices } from '../runs/runServices.ts';

/** A message that a client adds, with its metadata. */
export interface LabelledMessage extends NewMessage {
  readonly metadata?: Metadata | undefined;
}

/** Saves records of messages. @throws {AppError} thread_not_found when the thread was deleted; unavailable. */
export const putRecords = (
  { threads, messages }: RunServices,
  threadKey: ThreadKey,
  records: readonly MessageRecord[],
): Promise<void> =>
  retryConflicts(async () => {
    const thread = await threads.find(threadKey);
    if (!thread) throw new AppError('thread_not_found');
    return (await messages.put(thread, records)) ? undefined : 'conflict';
  });
