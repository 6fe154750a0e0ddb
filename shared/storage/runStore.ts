import { isDeepStrictEqual } from 'node:util';
import type { TransactionAction } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { AppError } from '../errors.ts';
import type { IdempotencyKey } from '../model/idempotencyKey.ts';
import { hasPair, type Metadata, type MetadataPair, metadataOf } from '../model/metadata.ts';
import type { Page, PageRequest } from '../model/page.ts';
import type { Run, RunKey, RunStatus } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { queryRows } from './pages.ts';
import {
  fromPendingCalls,
  type ItemRow,
  type KeyRow,
  type RunRow,
  threadRowKey,
  toItemRowKey,
  toMetadataColumn,
  toPartitionKey,
  toResourceColumns,
  toRun,
  toRunRow,
} from './rows.ts';
import { filter, roundTrip, type StoreRefusal, type Table } from './tables.ts';

/*
 * A run and its thread are changed in one transaction. Invariant: a run is active if and only if its thread's
 * `activeRunId` is its id.
 */

/** Result of a claim: the stored run; `conflict`: the thread changed; `duplicateKey`: the key has been used. */
export type Claim = Stored<Run> | 'conflict' | 'duplicateKey';

export interface RunPageRequest extends PageRequest {
  /** Only runs with this status; all by default. */
  readonly status: RunStatus | undefined;
  /** Only runs whose metadata has this pair; all by default. */
  readonly metadata?: MetadataPair | undefined;
}

/** Maximum number of runs read for one page of a filtered list. */
const maxRunsSearched = 500;

export interface RunStore {
  find(run: RunKey): Promise<Stored<Run> | undefined>;
  /** Returns a page of a thread's runs, newest first. May be short, because at most about 500 runs are searched. */
  list(thread: ThreadKey, page: RunPageRequest): Promise<Page<Run>>;
  /**
   * Finds the run that has a message in its reply, and the runs before it, newest first.
   * @param itemId the engine's id of the message.
   * @returns at most `limit` runs; none when no run is known to have the message.
   */
  listReplied(thread: ThreadKey, itemId: string, limit: number): Promise<Run[]>;
  /** Returns the id of the run that a key started and the fingerprint of its request. */
  findKey(thread: ThreadKey, key: IdempotencyKey): Promise<KeyRow | undefined>;
  /**
   * Adds a run as the active run of an idle thread, and its idempotency key, in one transaction.
   * @param thread with the files of its code interpreters, to be saved.
   */
  claim(thread: Stored<Thread>, run: Run, key?: IdempotencyKey): Promise<Claim>;
  /**
   * Saves a run, but for its metadata. If it has ended, frees its thread and leaves it the calls that are unanswered, in
   * the same transaction.
   * @param forget idempotency key to delete in the same transaction.
   * @returns undefined, without saving, when the run was changed concurrently or had ended before. A concurrent change
   * of its metadata alone does not count.
   */
  save(before: Stored<Run>, run: Run, forget?: IdempotencyKey): Promise<Stored<Run> | undefined>;
  /**
   * Replaces the metadata of a run and changes nothing else, whatever the run's status.
   * @returns the run as it is afterwards; undefined when it does not exist.
   */
  setMetadata(run: RunKey, metadata: Metadata): Promise<Stored<Run> | undefined>;
}

/** Maximum attempts to save a run. An attempt is repeated only after a change of the run's metadata. */
const maxSaves = 10;

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createRunStore(table: Table, deadline?: Deadline): RunStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  const submit = (actions: TransactionAction[]) =>
    once((client, options) => client.submitTransaction(actions, options));

  /** Saves the columns of a run once, if its etag matches. @returns its new etag; undefined when it does not match. */
  const saveOnce = async (
    before: Run,
    run: Run,
    etag: string,
    forget?: IdempotencyKey,
  ): Promise<string | undefined> => {
    const partitionKey = toPartitionKey(run);
    const row = { partitionKey, rowKey: run.runId, ...toRunRow(run) };
    const items = toItemRows(before, run);
    if (!isTerminal(run) && items.length === 0) {
      const result = await once((client, options) => client.updateEntity(row, 'Merge', { etag, ...options }));
      return typeof result === 'object' ? (result.etag ?? '') : undefined;
    }
    const freed = { partitionKey, rowKey: threadRowKey, activeRunId: '', ...toOpenCalls(run) };
    const result = await submit([
      ['update', row, 'Merge', { etag }],
      // The run's etag proves that it is active, so it is the thread's active run.
      ...(isTerminal(run) ? [['update', freed, 'Merge', { etag: '*' }]] : []),
      ...items.map((item) => ['upsert', item, 'Replace']),
      ...(forget ? [['delete', { partitionKey, rowKey: forget.rowKey }]] : []),
    ] as TransactionAction[]);
    return typeof result === 'object' ? (result.subResponses[0]?.etag ?? '') : undefined;
  };

  const store: RunStore = {
    async find(run) {
      const row = await once((client, options) =>
        client.getEntity<RunRow>(toPartitionKey(run), run.runId, options),
      );
      return typeof row === 'object' && !row.removed ? { value: toRun(row), etag: row.etag } : undefined;
    },

    async list(threadKey, { limit, after, status, metadata }) {
      const partitionKey = toPartitionKey(threadKey);
      const isListed = (run: Run) =>
        (status === undefined || run.status === status) && (!metadata || hasPair(run.metadata, metadata));
      const items: Run[] = [];
      let lastId = after;
      for (let searched = 0; searched < maxRunsSearched; ) {
        // The first query usually fills the page; for a rare status or label, search the rest at once.
        const batch = searched === 0 ? limit : maxRunsSearched - searched;
        // Ids sort newest first; '`' is the character after '_'.
        const runs = filter`PartitionKey eq ${partitionKey} and RowKey gt ${lastId ?? 'run_'} and RowKey lt ${'run`'}`;
        const { rows, hasMore } = await queryRows<RunRow>(table, runs, batch, deadline);
        for (const [index, row] of rows.entries()) {
          lastId = row.rowKey;
          if (!row.removed && isListed(toRun(row))) items.push(toRun(row));
          if (items.length === limit) return { items, hasMore: hasMore || index < rows.length - 1, lastId };
        }
        if (!hasMore) return { items, hasMore, lastId: items.at(-1)?.runId };
        searched += rows.length;
      }
      return { items, hasMore: true, lastId };
    },

    async listReplied(threadKey, itemId, limit) {
      const partitionKey = toPartitionKey(threadKey);
      const rowKey = toItemRowKey(itemId);
      if (rowKey === undefined) return [];
      const item = await once((client, options) => client.getEntity<ItemRow>(partitionKey, rowKey, options));
      if (typeof item !== 'object') return [];
      const runs = filter`PartitionKey eq ${partitionKey} and RowKey ge ${item.runId} and RowKey lt ${'run`'}`;
      const { rows } = await queryRows<RunRow>(table, runs, limit, deadline);
      return rows.filter(({ removed }) => !removed).map(toRun);
    },

    async findKey(thread, key) {
      const row = await once((client, options) =>
        client.getEntity<KeyRow>(toPartitionKey(thread), key.rowKey, options),
      );
      return typeof row === 'object' ? { runId: row.runId, fingerprint: row.fingerprint } : undefined;
    },

    async claim(thread, run, key) {
      const partitionKey = toPartitionKey(run);
      const result = await submit([
        [
          'update',
          {
            ...{ partitionKey, rowKey: threadRowKey, activeRunId: run.runId },
            ...toResourceColumns(thread.value),
          },
          'Merge',
          { etag: thread.etag },
        ],
        [
          'create',
          {
            ...{ partitionKey, rowKey: run.runId, ...toRunRow(run) },
            ...(run.metadata && toMetadataColumn(run.metadata)),
          },
        ],
        ...(key
          ? [
              [
                key.attempt ? 'upsert' : 'create',
                { partitionKey, rowKey: key.rowKey, runId: run.runId, fingerprint: key.fingerprint },
              ] as const,
            ]
          : []),
      ] as TransactionAction[]);
      if (typeof result === 'object') {
        return { value: run, etag: result.subResponses[1]?.etag ?? '' };
      }
      // The client retries a transaction whose response was lost, and then conflicts with its own first attempt. The run
      // may have been cancelled since; a terminal run must not be submitted.
      const own = await store.find(run);
      return own && !isTerminal(own.value) ? own : toClaimRefusal(result);
    },

    async save(before, run, forget) {
      // A recorded end is final, and another run may have claimed the thread.
      if (isTerminal(before.value)) return undefined;
      let { value, etag } = before;
      for (let saves = 0; saves < maxSaves; saves++) {
        const saved = await saveOnce(before.value, run, etag, forget);
        if (saved !== undefined) return { value: withMetadataOf(value, run), etag: saved };
        const current = await store.find(run);
        // Without this, a client that labels a run could keep the end of the run from being recorded.
        if (!current || !isDeepStrictEqual(withoutMetadata(current.value), withoutMetadata(before.value))) {
          return undefined;
        }
        ({ value, etag } = current);
      }
      throw new AppError('unavailable');
    },

    async setMetadata(run, metadata) {
      const row = { partitionKey: toPartitionKey(run), rowKey: run.runId, ...toMetadataColumn(metadata) };
      // Unconditional, so that it neither fails nor waits because of the run's own saves.
      const result = await once((client, options) =>
        client.updateEntity(row, 'Merge', { etag: '*', ...options }),
      );
      // Read afterwards: the run may have changed since it was last read, and its state must match its etag.
      return typeof result === 'object' ? store.find(run) : undefined;
    },
  };
  return store;
}

/** Returns a run with the metadata of its recorded version. */
const withMetadataOf = (recorded: Run, { metadata, ...run }: Run): Run => ({
  ...run,
  ...metadataOf(recorded.metadata),
});

/** Returns all properties of a run but its metadata, for comparison. */
const withoutMetadata = (run: Run) =>
  Object.entries(run)
    .filter(([name, value]) => name !== 'metadata' && value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));

/** Returns the rows of the messages that a change adds to a run's reply. */
const toItemRows = (before: Run, run: Run) =>
  (run.replyItemIds ?? []).flatMap((itemId) => {
    const rowKey = toItemRowKey(itemId);
    const added = rowKey !== undefined && !before.replyItemIds?.includes(itemId);
    return added ? { partitionKey: toPartitionKey(run), rowKey, runId: run.runId } : [];
  });

/** A run without calls changes nothing: then the thread had no open ones. */
const toOpenCalls = ({ pendingCalls }: Run) => pendingCalls && { openCalls: fromPendingCalls(pendingCalls) };

const toClaimRefusal = (result: StoreRefusal) => (result === 'exists' ? 'duplicateKey' : 'conflict');
