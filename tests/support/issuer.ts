import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface TestIssuer {
  readonly url: string;
  readonly audience: string;
  /** Number of requests for the keys and the configuration so far. */
  readonly requests: { keys: number; configuration: number };
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  /** How it behaves: `away` drops connections, `broken` responds with 500, `hangs` never responds. */
  behaviour: 'well' | 'away' | 'broken' | 'hangs';
  /** Signs a valid token with these claims; `undefined` removes a default claim. */
  sign(claims?: Record<string, unknown>, options?: SignOptions): Promise<string>;
  /** Replaces the published keys; tokens signed before become invalid. */
  publish(keys: JWK[]): void;
  /**
   * Behaves well and counts from zero again.
   * @returns false if it has published other keys, which an app may have kept.
   */
  reset(): boolean;
  close(): Promise<void>;
}

export interface SignOptions {
  readonly key?: CryptoKey | Uint8Array;
  readonly header?: Record<string, unknown>;
}

/** Starts an issuer whose behaviour tests can change; signs with RS256 by default. */
export async function startTestIssuer(): Promise<TestIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const publicJwk: JWK = { ...(await exportJWK(publicKey)), kid: 'test-key', alg: 'RS256', use: 'sig' };
  let published: JWK[] = [publicJwk];
  let hasPublished = false;
  const audience = 'tests';
  const server = createServer((request, response) => {
    const configuration = request.url === '/.well-known/openid-configuration';
    issuer.requests[configuration ? 'configuration' : 'keys']++;
    if (issuer.behaviour === 'hangs') return;
    if (issuer.behaviour === 'away') return void request.socket.destroy();
    if (issuer.behaviour === 'broken') return void response.writeHead(500).end();
    response.setHeader('Content-Type', 'application/json');
    response.end(
      JSON.stringify(
        configuration ? { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` } : { keys: published },
      ),
    );
  });
  // A server that outlives a test file must not keep Jest's worker alive.
  server.on('connection', (socket) => socket.unref()).unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer: TestIssuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    audience,
    requests: { keys: 0, configuration: 0 },
    privateKey,
    publicJwk,
    behaviour: 'well',
    sign: (claims = {}, { key = privateKey, header = {} } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({
        iss: issuer.url,
        aud: audience,
        sub: 'tester',
        iat: now,
        exp: now + 3600,
        ...claims,
      })
        .setProtectedHeader({ alg: 'RS256', kid: 'test-key', typ: 'JWT', ...header })
        .sign(key);
    },
    publish: (keys) => {
      published = keys;
      hasPublished = true;
    },
    reset: () => {
      issuer.behaviour = 'well';
      Object.assign(issuer.requests, { keys: 0, configuration: 0 });
      return !hasPublished;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return issuer;
}
