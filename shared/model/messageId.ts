import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/*
 * The engine's ids never leave the service, but a message id must map to the engine's item without a lookup table. A
 * message id is therefore the item id under deterministic authenticated encryption (the SIV construction of RFC 5297,
 * with HMAC and AES-CTR). The keys are derived from the conversation id, which is never exposed. An id of another thread,
 * or a made-up one, does not decrypt.
 */

const prefix = 'msg_';
const ivBytes = 16;

/** Encrypts an item id of the engine as a message id. Deterministic. */
export function sealMessageId(conversationId: string, itemId: string): string {
  const keys = deriveKeys(conversationId);
  const iv = syntheticIv(keys.mac, itemId);
  const cipher = createCipheriv('aes-128-ctr', keys.cipher, iv);
  return prefix + Buffer.concat([iv, cipher.update(itemId, 'utf8'), cipher.final()]).toString('base64url');
}

/** Decrypts a message id. @returns the engine's item id; undefined for an id not of this conversation. */
export function openMessageId(conversationId: string, messageId: string): string | undefined {
  if (!messageId.startsWith(prefix)) return undefined;
  const bytes = Buffer.from(messageId.slice(prefix.length), 'base64url');
  if (bytes.length <= ivBytes) return undefined;
  const keys = deriveKeys(conversationId);
  const decipher = createDecipheriv('aes-128-ctr', keys.cipher, bytes.subarray(0, ivBytes));
  const itemId = Buffer.concat([decipher.update(bytes.subarray(ivBytes)), decipher.final()]).toString();
  return sealMessageId(conversationId, itemId) === messageId ? itemId : undefined;
}

function deriveKeys(conversationId: string) {
  const derive = (purpose: string) => createHmac('sha256', conversationId).update(purpose).digest();
  return { mac: derive('message id: mac'), cipher: derive('message id: cipher').subarray(0, 16) };
}

const syntheticIv = (key: Buffer, itemId: string): Buffer =>
  createHmac('sha256', key).update(itemId).digest().subarray(0, ivBytes);
