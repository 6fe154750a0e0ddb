import { createHash, createHmac } from 'node:crypto';
import type { RunInput } from './run.ts';

/** A stored `Idempotency-Key`: hashes from which neither the key nor the request can be recovered. */
export interface IdempotencyKey {
  readonly rowKey: string;
  /** Equal for equal requests only. */
  readonly fingerprint: string;
}

/** Hashes an idempotency key and its request. @param key 1 to 255 visible characters. */
export function toIdempotencyKey(key: string, input: RunInput): IdempotencyKey {
  return {
    rowKey: `key_${createHash('sha256').update(key).digest('hex')}`,
    // Keyed with the secret key, because a short message could be guessed from a plain hash.
    fingerprint: createHmac('sha256', key)
      .update(JSON.stringify(toParts(input)))
      .digest('hex'),
  };
}

/** Returns what must be equal in equal requests. Files are left out where there are none, as they once were for all. */
const toParts = ({ message, instructions, attachments = [] }: RunInput) =>
  attachments.length === 0 ? [message, instructions] : [message, instructions, attachments];
