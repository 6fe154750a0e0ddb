import { createHash, randomUUID } from 'node:crypto';

export type IdPrefix =
  | 'conv'
  | 'resp'
  | 'msg'
  | 'fs'
  | 'rs'
  | 'fc'
  | 'fco'
  | 'mcpr'
  | 'call'
  | 'item'
  | 'req';

/** An unguessable id in the form of the real API's: the prefix and 50 hexadecimal digits. */
export function newId(prefix: IdPrefix): string {
  // Node draws UUIDs from a pool; a system call for each id would be the costliest part of a request.
  return `${prefix}_${`${randomUUID()}${randomUUID()}`.replaceAll('-', '').slice(0, 50)}`;
}

/** The id of a searched file: the same for the same name, on every machine. */
export function fileIdOf(filename: string): string {
  return `file-${createHash('sha256').update(filename).digest('hex').slice(0, 24)}`;
}

export function toUnixSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
