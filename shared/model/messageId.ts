import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/*
 * Ids of the engine never leave the service, yet a message id has to lead back to the engine's item without a table
 * of its own. So it is the item's id, encrypted deterministically and authenticated (the SIV construction of RFC 5297,
 * from HMAC and AES-CTR) with keys derived from the conversation's id, which nobody outside knows. An id of another
 * thread, or an invented one, does not decrypt.
 */

const prefix = 'msg_';
const ivBytes = 16;

/** The message id that clients see for an engine's item. The same item has always the same. */
export function sealMessageId(conversationId: string, itemId: string): string {
  const keys = deriveKeys(conversationId);
  const iv = syntheticIv(keys.mac, itemId);
  const cipher = createCipheriv('aes-128-ctr', keys.cipher, iv);
  return prefix + Buffer.concat([iv, cipher.update(itemId, 'utf8'), cipher.final()]).toString('base64url');
}

/** The engine's item behind a message id; undefined when it is not one of this conversation. */
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
