import type { TransactionAction } from '@azure/data-tables';
import { AppError } from '../errors.ts';
import type { MessageRecord } from '../model/messageRecord.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { toPut } from './messageStore.ts';
import { type ThreadRow, threadRowKey, toPartitionKey, toThread, toThreadRow } from './rows.ts';
import { roundTrip, type Table } from './tables.ts';
import { createThreadIndex } from './threadIndex.ts';

/**
 * The import of a thread, a row `import` in its partition, deleted together with it. Until the thread is there, it names
 * the conversation that is being filled, so that the next import can remove it.
 */
interface ImportRow {
  /** Empty before there is one. */
  readonly conversationId: string;
  /** Of what was imported; empty until then. */
  readonly fingerprint: string;
}

const importRowKey = 'import';

/** An import of a thread that is in progress. Only the latest claim of a thread can continue. */
export interface ImportClaim {
  readonly threadKey: ThreadKey;
  /** The conversation of an interrupted import, which has to be removed. */
  readonly conversationId: string | undefined;
  readonly etag: string;
}

/** What the store knows of a thread id in a project. */
export interface KnownThread {
  readonly thread: Thread | undefined;
  /** The thread is being deleted. */
  readonly closed: boolean;
  /** Set for a thread that was imported. */
  readonly fingerprint: string | undefined;
}

/** Imports of threads. A thread appears at once, with the records of all its messages. */
export interface ImportStore {
  /** @returns undefined if the project neither has the thread nor is importing it. */
  find(thread: ThreadKey): Promise<KnownThread | undefined>;
  /** Begins an import, and ends every other one of the thread. @returns undefined if the thread is there. */
  claim(thread: ThreadKey): Promise<ImportClaim | undefined>;
  /** Notes the conversation that is being filled. @returns undefined if another import has begun. */
  setConversation(claim: ImportClaim, conversationId: string): Promise<ImportClaim | undefined>;
  /** Removes a claim, unless another import has begun. */
  release(claim: ImportClaim): Promise<void>;
  /**
   * Adds the thread with the records of its messages.
   * @returns false if another import has begun.
   * @throws {AppError} `unavailable` if the outcome is unknown.
   */
  publish(
    claim: ImportClaim,
    thread: Thread,
    fingerprint: string,
    records: readonly MessageRecord[],
  ): Promise<boolean>;
}

/** Maximum number of records in one transaction; the store takes 100 operations. */
const recordBatch = 98;

/** Maximum attempts to begin. An attempt is repeated only after another import has begun at the same time. */
const maxClaims = 5;

export function createImportStore(table: Table): ImportStore {
  const index = createThreadIndex(table);
  const readRow = async <Row extends object>(thread: ThreadKey, rowKey: string) => {
    const row = await roundTrip(table, (client, options) =>
      client.getEntity<Row>(toPartitionKey(thread), rowKey, options),
    );
    return typeof row === 'object' ? row : undefined;
  };
  const readThread = (thread: ThreadKey) => readRow<ThreadRow>(thread, threadRowKey);
  const toRow = (thread: ThreadKey, columns: Partial<ImportRow>) => ({
    ...{ partitionKey: toPartitionKey(thread), rowKey: importRowKey },
    ...columns,
  });
  const change = async (claim: ImportClaim, columns: Partial<ImportRow>): Promise<string | undefined> => {
    const result = await roundTrip(table, (client, options) =>
      client.updateEntity(toRow(claim.threadKey, columns), 'Merge', { etag: claim.etag, ...options }),
    );
    return typeof result === 'object' ? result.etag : undefined;
  };
  /** Changes the row on the condition that the claim is the latest one, together with other rows. */
  const submit = async (claim: ImportClaim, columns: Partial<ImportRow>, actions: TransactionAction[]) => {
    const own = toRow(claim.threadKey, columns);
    const result = await roundTrip(table, (client, options) =>
      client.submitTransaction([['update', own, 'Merge', { etag: claim.etag }], ...actions], options),
    );
    return typeof result === 'object' ? result.subResponses[0]?.etag : undefined;
  };

  return {
    async find(threadKey) {
      const [row, imported] = await Promise.all([
        readThread(threadKey),
        readRow<ImportRow>(threadKey, importRowKey),
      ]);
      if (!row && !imported) return undefined;
      return {
        thread: row && toThread(row),
        closed: row?.closed ?? false,
        fingerprint: imported?.fingerprint || undefined,
      };
    },

    async claim(threadKey) {
      for (let claims = 0; claims < maxClaims; claims++) {
        const before = await readRow<ImportRow>(threadKey, importRowKey);
        if (await readThread(threadKey)) return undefined;
        const conversationId = before?.conversationId || undefined;
        const row = toRow(threadKey, { conversationId: conversationId ?? '', fingerprint: '' });
        const result = await roundTrip(table, (client, options) =>
          before
            ? client.updateEntity(row, 'Replace', { etag: before.etag, ...options })
            : client.createEntity(row, options),
        );
        const etag = typeof result === 'object' ? result.etag : undefined;
        if (etag !== undefined) return { threadKey, conversationId, etag };
      }
      throw new AppError('unavailable');
    },

    async setConversation(claim, conversationId) {
      const etag = await change(claim, { conversationId });
      return etag === undefined ? undefined : { ...claim, conversationId, etag };
    },

    async release({ threadKey, etag }) {
      await roundTrip(table, (client, options) =>
        client.deleteEntity(toPartitionKey(threadKey), importRowKey, { etag, ...options }),
      );
    },

    async publish(claim, thread, fingerprint, records) {
      const entry = await index.add(thread);
      let { etag } = claim;
      let rest = records;
      for (; rest.length > recordBatch; rest = rest.slice(recordBatch)) {
        const puts = rest.slice(0, recordBatch).map((record) => toPut(thread, record));
        const changed = await submit({ ...claim, etag }, {}, puts);
        if (changed === undefined) return false;
        etag = changed;
      }
      const row = { partitionKey: toPartitionKey(thread), rowKey: threadRowKey, ...toThreadRow(thread) };
      const published = await submit({ ...claim, etag }, { fingerprint }, [
        ['create', row],
        ...rest.map((record) => toPut(thread, record)),
      ]);
      // The client retries a transaction whose response was lost, and then conflicts with its own first attempt.
      if (published === undefined && (await readThread(thread))?.conversationId !== thread.conversationId) {
        return false;
      }
      await index.confirm(thread, entry).catch(() => undefined);
      return true;
    },
  };
}
