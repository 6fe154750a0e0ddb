import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/*
 * The engine's ids never leave the service, but an id that a client sends back must map to the engine's without a lookup
 * table. A sealed id is therefore the engine's id under deterministic authenticated encryption (the SIV construction of
 * RFC 5297, with HMAC and AES-CTR). The keys are derived from a secret and from the kind of the id. The secret of a thread
 * is its conversation id, which is never exposed; that of a project is random. An id of another thread, project or kind, or
 * a made-up one, does not decrypt.
 */

/** Kinds of sealed ids by their prefix, with the name from which their keys are derived. */
const kinds = {
  msg: 'message id',
  call: 'tool call id',
  appr: 'approval id',
  step: 'step id',
  file: 'file id',
  doc: 'document id',
  vs: 'vector store id',
  vsfb: 'file batch id',
} as const;

export type SealedKind = keyof typeof kinds;

const ivBytes = 16;

/** Encrypts an id of the engine. Deterministic. */
export function sealId(secret: string, kind: SealedKind, id: string): string {
  const keys = deriveKeys(secret, kind);
  const iv = syntheticIv(keys.mac, id);
  const cipher = createCipheriv('aes-128-ctr', keys.cipher, iv);
  return `${kind}_${Buffer.concat([iv, cipher.update(id, 'utf8'), cipher.final()]).toString('base64url')}`;
}

/** Decrypts an id. @returns the engine's id; undefined for an id not of this secret and kind. */
export function openId(secret: string, kind: SealedKind, sealed: string): string | undefined {
  const prefix = `${kind}_`;
  if (!sealed.startsWith(prefix)) return undefined;
  const bytes = Buffer.from(sealed.slice(prefix.length), 'base64url');
  if (bytes.length <= ivBytes) return undefined;
  const keys = deriveKeys(secret, kind);
  const decipher = createDecipheriv('aes-128-ctr', keys.cipher, bytes.subarray(0, ivBytes));
  const id = Buffer.concat([decipher.update(bytes.subarray(ivBytes)), decipher.final()]).toString();
  return sealId(secret, kind, id) === sealed ? id : undefined;
}

function deriveKeys(secret: string, kind: SealedKind) {
  const derive = (purpose: string) =>
    createHmac('sha256', secret).update(`${kinds[kind]}: ${purpose}`).digest();
  return { mac: derive('mac'), cipher: derive('cipher').subarray(0, 16) };
}

const syntheticIv = (key: Buffer, id: string): Buffer =>
  createHmac('sha256', key).update(id).digest().subarray(0, ivBytes);
