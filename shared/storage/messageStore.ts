import { createHash } from 'node:crypto';
import type { TableEntityResult, TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import type { MessageRecord } from '../model/messageRecord.ts';
import { metadataOf } from '../model/metadata.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { threadRowKey, toPartitionKey } from './rows.ts';
import { roundTrip, type Table } from './tables.ts';

/** A message's row. It lies in its thread's partition, so that a thread is deleted together with it. */
interface MessageRow {
  createdAt?: Date;
  /** JSON in UTF-8. */
  metadata?: Uint8Array;
  /** JSON. */
  attachments?: string;
}

/** Records of messages: when they were added, and their metadata. Most messages have none. */
export interface MessageStore {
  /** Finds the records of messages; one read for each. */
  find(thread: ThreadKey, itemIds: readonly string[]): Promise<ReadonlyMap<string, MessageRecord>>;
  /**
   * Adds or changes records of an open thread; undefined properties are kept.
   * @param records at most 99.
   * @returns whether they were saved; false when the thread was changed concurrently.
   */
  put(thread: Stored<Thread>, records: readonly MessageRecord[]): Promise<boolean>;
  remove(thread: ThreadKey, itemId: string): Promise<void>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createMessageStore(table: Table, deadline?: Deadline): MessageStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  return {
    async find(thread, itemIds) {
      const partitionKey = toPartitionKey(thread);
      const found = await Promise.all(
        itemIds.map(async (itemId): Promise<[string, MessageRecord] | undefined> => {
          const row = await once((client, options) =>
            client.getEntity<MessageRow>(partitionKey, toRowKey(itemId), options),
          );
          return typeof row === 'object' ? [itemId, toRecord(itemId, row)] : undefined;
        }),
      );
      return new Map(found.filter((entry) => entry !== undefined));
    },

    async put({ value: thread, etag }, records) {
      const partitionKey = toPartitionKey(thread);
      const result = await once((client, options) =>
        client.submitTransaction(
          [
            // Only for its condition: a record must not outlive its thread.
            ['update', { partitionKey, rowKey: threadRowKey, closed: false }, 'Merge', { etag }],
            ...records.map(
              (record): TransactionAction => [
                'upsert',
                { partitionKey, rowKey: toRowKey(record.itemId), ...toRow(record) },
                'Merge',
              ],
            ),
          ],
          options,
        ),
      );
      return typeof result === 'object';
    },

    async remove(thread, itemId) {
      await once((client, options) => client.deleteEntity(toPartitionKey(thread), toRowKey(itemId), options));
    },
  };
}

/** Hashed, because the engine's ids may contain characters that no key can have. */
const toRowKey = (itemId: string): string =>
  `message_${createHash('sha256').update(itemId).digest('base64url')}`;

const toRow = ({ createdAt, metadata, attachments }: MessageRecord): MessageRow => ({
  ...(createdAt && { createdAt }),
  ...(attachments && { attachments: JSON.stringify(attachments) }),
  ...(metadata && { metadata: new TextEncoder().encode(JSON.stringify(metadata)) }),
});

const toRecord = (itemId: string, row: TableEntityResult<MessageRow>): MessageRecord => ({
  itemId,
  ...(row.createdAt && { createdAt: row.createdAt }),
  ...(row.attachments !== undefined && { attachments: JSON.parse(row.attachments) }),
  ...metadataOf(row.metadata && JSON.parse(new TextDecoder().decode(row.metadata))),
});
