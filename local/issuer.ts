import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';

/** The key and claims for signing tokens that the local service accepts. */
export interface Signer {
  readonly issuer: string;
  readonly audience: string;
  /** The private key, with its `kid`. */
  readonly key: JWK;
}

/** A running token issuer. */
export interface Issuer {
  readonly signer: Signer;
  close(): Promise<void>;
}

const algorithm = 'ES256';

/**
 * Starts a token issuer, which serves an OpenID configuration and a key set.
 * @param options `file` stores the signer, so that tokens stay valid after a restart and `npm run token` can sign more.
 */
export async function startIssuer(options: {
  port: number;
  audience: string;
  file: string;
}): Promise<Issuer> {
  const key = (await readSigner(options.file))?.key ?? (await newKey());
  let issuer = '';
  const server = createServer((request, response) => {
    const documents: Record<string, object> = {
      '/.well-known/openid-configuration': {
        issuer,
        jwks_uri: `${issuer}/keys`,
        id_token_signing_alg_values_supported: [algorithm],
      },
      '/keys': { keys: [publicPart(key)] },
    };
    const document = documents[request.url ?? ''];
    response.writeHead(document ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(document && JSON.stringify(document));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, '127.0.0.1', resolve);
  });
  issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  const signer = { issuer, audience: options.audience, key };
  await mkdir(dirname(options.file), { recursive: true });
  await writeFile(options.file, JSON.stringify(signer), { mode: 0o600 });
  return {
    signer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Reads a stored signer. @returns undefined when there is none. @throws {Error} when the file is damaged. */
export async function readSigner(file: string): Promise<Signer | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // The parser's own message quotes the key.
    throw new Error(`${file} is damaged; delete it and the next start creates a new one.`);
  }
}

/** Signs a token. @param claims such as `sub` and `projects`. */
export async function signToken(
  signer: Signer,
  claims: Record<string, unknown>,
  expiresInSeconds: number,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, kid: signer.key.kid ?? '', typ: 'JWT' })
    .setIssuer(signer.issuer)
    .setAudience(signer.audience)
    .setIssuedAt(now)
    .setExpirationTime(now + expiresInSeconds)
    .sign(await importJWK(signer.key, algorithm));
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: crypto.randomUUID(), alg: algorithm, use: 'sig' };
}

const publicPart = ({ d: _secret, ...key }: JWK): JWK => key;
