import { createHash, createHmac } from 'node:crypto';
import type { Metadata } from './metadata.ts';
import type { RunInput } from './run.ts';

/** A stored `Idempotency-Key`: hashes from which neither the key nor the request can be recovered. */
export interface IdempotencyKey {
  readonly rowKey: string;
  /** Equal for equal requests only. */
  readonly fingerprint: string;
  /**
   * Set for a request without a key or an id of its own, whose client repeats it when it fails: whether this is the first
   * attempt. Equal requests may follow each other, so only a repetition looks for an earlier run, and only a recent one.
   */
  readonly attempt?: 'first' | 'repeated';
}

/** A request that its client may repeat without an idempotency key. */
export interface Repeatable {
  /** Equal for equal requests of one caller only. May contain what people wrote. */
  readonly content: string;
  readonly isRepetition: boolean;
  /** Whether the content has an id of its own, which all attempts share and no other request has. */
  readonly isIdentified?: boolean;
}

/** How long after its first attempt a request without an idempotency key counts as a repetition, in milliseconds. */
export const repetitionMs = 60_000;

/** Hashes the content of a request. @param secret known to the service only. */
export const toRequestHash = (secret: string, { content }: Pick<Repeatable, 'content'>): string =>
  createHmac('sha256', secret).update(content).digest('hex');

/** Hashes a request without an idempotency key. @param secret known to the service only. */
export const toRepetitionKey = (
  secret: string,
  { content, isRepetition, isIdentified = false }: Repeatable,
): IdempotencyKey => ({
  rowKey: `key_${toRequestHash(secret, { content })}`,
  fingerprint: '',
  ...(!isIdentified && { attempt: isRepetition ? 'repeated' : 'first' }),
});

/** Hashes an idempotency key and its request. @param key 1 to 255 visible characters. */
export function toIdempotencyKey(key: string, input: RunInput): IdempotencyKey {
  return {
    rowKey: `key_${createHash('sha256').update(key).digest('hex')}`,
    // Keyed with the secret key, because a short message could be guessed from a plain hash.
    fingerprint: createHmac('sha256', key).update(canonical(input)).digest('hex'),
  };
}

/**
 * Hashes an idempotency key of the create of a thread and its request.
 * @param input the first message, if there is one.
 */
export function toThreadCreationKey(
  key: string,
  metadata: Metadata,
  input: RunInput | undefined,
): IdempotencyKey {
  const request = JSON.stringify([sortedPairs(metadata), input ? canonical(input) : null]);
  return {
    rowKey: `key_${createHash('sha256').update(key).digest('hex')}`,
    fingerprint: createHmac('sha256', key).update(request).digest('hex'),
  };
}

/** Returns a request as text that is equal for equal requests only. Optional properties do not count if they are empty. */
function canonical({ message, instructions, metadata = {}, attachments = [] }: RunInput): string {
  const pairs = sortedPairs(metadata);
  return JSON.stringify([
    message,
    instructions,
    ...(pairs.length > 0 ? [{ metadata: pairs }] : []),
    ...(attachments.length > 0 ? [{ attachments }] : []),
  ]);
}

const sortedPairs = (metadata: Metadata) =>
  Object.entries(metadata).sort(([one], [other]) => (one < other ? -1 : 1));
