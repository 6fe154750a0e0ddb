import { createHash, randomUUID } from 'node:crypto';

export type IdPrefix =
  | 'conv'
  | 'resp'
  | 'msg'
  | 'fs'
  | 'rs'
  | 'fc'
  | 'fco'
  | 'mcp'
  | 'mcpl'
  | 'mcpr'
  | 'mcpa'
  | 'ws'
  | 'call'
  | 'item'
  | 'req'
  | 'vs'
  | 'vsfb'
  | 'file';

/** Creates an unguessable id in the format of the real API: the prefix and 50 hexadecimal digits, or 24 for a file. */
export function newId(prefix: IdPrefix): string {
  if (prefix === 'file') return `file-${randomUUID().replaceAll('-', '').slice(0, 24)}`;
  // Node generates UUIDs from a pool of random bytes; a system call for each id would dominate the cost of a request.
  return `${prefix}_${`${randomUUID()}${randomUUID()}`.replaceAll('-', '').slice(0, 50)}`;
}

/** Returns the id of a file in the documents' folder, derived from its name. */
export function fileIdOf(filename: string): string {
  return `file-${createHash('sha256').update(filename).digest('hex').slice(0, 24)}`;
}

export function toUnixSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
