import { createPublicKey, randomBytes } from 'node:crypto';
import { EncryptJWT, exportJWK, generateKeyPair } from 'jose';
import type { TestIssuer } from './issuer.ts';

/**
 * Creates one token of every class that must not be accepted.
 * @param claims of a token that would be.
 */
export async function createForgedTokens(
  { sign, publicJwk }: TestIssuer,
  claims: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, string>>> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const good = await sign(claims);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const pem = createPublicKey({ key: { ...publicJwk }, format: 'jwk' }).export({
    format: 'pem',
    type: 'spki',
  });
  const changed = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'somebody-else' };
  return {
    'a word': 'token',
    'parts that are none': 'a.b.c',
    'an exp in the past': await sign({ ...claims, exp: nowSeconds - 1 }),
    'no exp': await sign({ ...claims, exp: undefined }),
    'an nbf in the future': await sign({ ...claims, nbf: nowSeconds + 600 }),
    'another iss': await sign({ ...claims, iss: 'https://other.example' }),
    'another aud': await sign({ ...claims, aud: 'another-service' }),
    'no sub': await sign({ ...claims, sub: undefined }),
    'alg none': `${encode({ alg: 'none', kid: 'test-key', typ: 'JWT' })}.${payload}.`,
    'HMAC with the public key': await sign(claims, { key: Buffer.from(pem), header: { alg: 'HS256' } }),
    'a foreign key under our kid': await sign(claims, { key: privateKey }),
    'a foreign key in its own header': await sign(claims, { key: privateKey, header: { jwk } }),
    'an address of a foreign key': await sign(claims, {
      key: privateKey,
      header: { jku: 'http://127.0.0.1:9/' },
    }),
    'an unknown kid': await sign(claims, { header: { kid: 'unknown' } }),
    'a changed payload': `${header}.${encode(changed)}.${signature}`,
    'a signature cut short': good.slice(0, -4),
    'no signature': `${header}.${payload}`,
    'a crit header': `${encode({ alg: 'RS256', kid: 'test-key', crit: ['urn:x'], 'urn:x': 1 })}.${payload}.${signature}`,
    encryption: await new EncryptJWT(claims)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'test-key' })
      .encrypt(randomBytes(32)),
  };
}
