import { toUnixSeconds, type WireFile } from './wire.ts';

/** What is known of a file. */
export interface FileFacts {
  readonly name: string;
  readonly bytes: number;
  readonly createdAt: Date;
}

/** Returns a file as the Assistants API sends it. */
export const toWireFile = (
  id: string,
  { name, bytes, createdAt }: FileFacts,
  purpose: WireFile['purpose'],
): WireFile => ({
  id,
  object: 'file',
  bytes,
  created_at: toUnixSeconds(createdAt),
  filename: name,
  purpose,
  status: 'processed',
});
