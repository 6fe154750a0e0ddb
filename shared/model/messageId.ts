import { openId, sealId } from './sealedId.ts';

/** Encrypts an item id of the engine as a message id. Deterministic. */
export const sealMessageId = (conversationId: string, itemId: string): string =>
  sealId(conversationId, 'msg', itemId);

/** Decrypts a message id. @returns the engine's item id; undefined for an id not of this conversation. */
export const openMessageId = (conversationId: string, messageId: string): string | undefined =>
  openId(conversationId, 'msg', messageId);
