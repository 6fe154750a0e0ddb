import type { Deadline } from '../deadline.ts';
import type { Reservation } from '../model/reservation.ts';
import { type ReservationRow, toReservationPartitionKey } from './rows.ts';
import { roundTrip, type Table } from './tables.ts';

/** What idempotency keys have reserved for the threads that they create. */
export interface ReservationStore {
  /**
   * Makes a reservation.
   * @returns it, or the one that its key made before; undefined if that was released meanwhile.
   */
  reserve(projectId: string, reservation: Reservation): Promise<Reservation | undefined>;
  /** Makes a reservation in place of the one that its key may have made before. */
  replace(projectId: string, reservation: Reservation): Promise<void>;
  /** Removes a reservation, unless its key has made another one since. */
  release(projectId: string, reservation: Pick<Reservation, 'rowKey' | 'threadId'>): Promise<void>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createReservationStore(table: Table, deadline?: Deadline): ReservationStore {
  const once = <T extends object>(call: Parameters<typeof roundTrip<T>>[1]) =>
    roundTrip(table, call, deadline);
  const find = async (projectId: string, rowKey: string) => {
    const partitionKey = toReservationPartitionKey(projectId);
    const row = await once((client, options) =>
      client.getEntity<ReservationRow>(partitionKey, rowKey, options),
    );
    return typeof row === 'object' ? row : undefined;
  };

  const toRow = (projectId: string, { attempt: _, ...reservation }: Reservation) => ({
    partitionKey: toReservationPartitionKey(projectId),
    ...reservation,
  });

  return {
    async reserve(projectId, reservation) {
      const row = toRow(projectId, reservation);
      const result = await once((client, options) => client.createEntity(row, options));
      if (typeof result === 'object') return reservation;
      const known = await find(projectId, reservation.rowKey);
      if (!known) return undefined;
      const { threadId, runId, createdAt, fingerprint, ambiguous = false } = known;
      return { rowKey: reservation.rowKey, threadId, runId, createdAt, fingerprint, ambiguous };
    },

    async replace(projectId, reservation) {
      await once((client, options) => client.upsertEntity(toRow(projectId, reservation), 'Replace', options));
    },

    async release(projectId, { rowKey, threadId }) {
      const known = await find(projectId, rowKey);
      if (known?.threadId !== threadId) return;
      const partitionKey = toReservationPartitionKey(projectId);
      const { etag } = known;
      await once((client, options) => client.deleteEntity(partitionKey, rowKey, { etag, ...options }));
    },
  };
}
