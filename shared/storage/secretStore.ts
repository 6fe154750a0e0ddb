import { randomBytes } from 'node:crypto';
import type { Deadline } from '../deadline.ts';
import { AppError } from '../errors.ts';
import { roundTrip, type Table } from './tables.ts';

interface SecretRow {
  readonly secret: string;
}

/** Secrets of projects, which never leave the service: keys for hashes of what could be guessed. */
export interface SecretStore {
  /** Returns the secret of a project; creates it on first use. It never changes. */
  open(projectId: string): Promise<string>;
}

/** @param deadline of the request; without one, round trips have their own timeout only. */
export function createSecretStore(table: Table, deadline?: Deadline): SecretStore {
  return {
    async open(projectId) {
      const partitionKey = `${projectId}:secret`;
      const find = async () => {
        const row = await roundTrip(
          table,
          (client, options) => client.getEntity<SecretRow>(partitionKey, 'secret', options),
          deadline,
        );
        return typeof row === 'object' ? row.secret : undefined;
      };
      const known = await find();
      if (known !== undefined) return known;
      const secret = randomBytes(32).toString('base64url');
      await roundTrip(
        table,
        (client, options) => client.createEntity({ partitionKey, rowKey: 'secret', secret }, options),
        deadline,
      );
      // Another request may have been faster.
      const stored = await find();
      if (stored === undefined) throw new AppError('unavailable');
      return stored;
    },
  };
}
