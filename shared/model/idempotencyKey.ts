import { createHash, createHmac } from 'node:crypto';
import type { RunInput } from './run.ts';

/** An `Idempotency-Key` as the store knows it: neither the key nor the request can be read back from it. */
export interface IdempotencyKey {
  readonly rowKey: string;
  /** Equal for equal requests only. */
  readonly fingerprint: string;
}

/** @param key 1 to 255 visible characters, as validated. */
export function toIdempotencyKey(key: string, input: RunInput): IdempotencyKey {
  return {
    rowKey: `key_${createHash('sha256').update(key).digest('hex')}`,
    // Keyed, because a plain hash of a short message could be guessed from the table.
    fingerprint: createHmac('sha256', key)
      .update(JSON.stringify([input.message, input.instructions]))
      .digest('hex'),
  };
}
