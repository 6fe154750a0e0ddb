import { type CryptoKey, createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { createCache } from '../cache.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import { lazy } from '../lazy.ts';
import { type Caller, toCaller } from './caller.ts';

/** Authenticates the value of an `Authorization` header. */
export type Authenticate = (authorization: string | null) => Promise<Caller>;

/** Accepted algorithms. Asymmetric only: with HMAC, the public key could be used as the secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** Timeout of a request for the issuer's metadata or its keys, in milliseconds. */
const keyTimeoutMs = 3_000;

/** Minimum time between a successful fetch of the keys and a refetch for an unknown key id, in milliseconds. */
const keyCooldownMs = 30_000;

/** How long a verified token is cached, in milliseconds; never beyond its `exp`. */
const verifiedMs = 30_000;

/** Maximum number of cached tokens. */
const verifiedLimit = 1_000;

const realm = 'Bearer realm="thread-runs"';

/** jose's error codes for an invalid token. Other failures are not the caller's. */
const tokenErrorCodes = new Set([
  'ERR_JWT_EXPIRED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_INVALID',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
]);

const isTokenError = (error: unknown): error is errors.JOSEError =>
  error instanceof errors.JOSEError && tokenErrorCodes.has(error.code);

/**
 * Creates a function that verifies bearer tokens of the configured issuer: signature, `iss`, `aud`, `exp`, `nbf`, and
 * the presence of `sub`, without clock tolerance.
 * The function throws `unauthorized` or `token_expired` for an invalid token, and `unavailable` when the issuer's keys
 * cannot be fetched.
 */
export function createAuthenticate(config: Config['jwt']): Authenticate {
  const findKey = createFindKey(config);
  const verified = createCache<Caller>(verifiedLimit);
  return async (authorization) => {
    const token = /^Bearer +([^\s]+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new AppError('unauthorized', { challenge: realm });
    const known = verified.get(token);
    if (known) return known;
    try {
      const { payload } = await jwtVerify(token, findKey, {
        algorithms,
        issuer: config.issuer,
        audience: config.audience,
        requiredClaims: ['exp', 'sub'],
      });
      if (typeof payload.sub !== 'string' || payload.sub === '') {
        throw new errors.JWTClaimValidationFailed('"sub" must be text', payload, 'sub', 'check_failed');
      }
      const caller = toCaller(payload);
      verified.set(token, caller, Math.min(caller.expiresAt, Date.now() + verifiedMs));
      return caller;
    } catch (error) {
      throw toTokenError(error);
    }
  };
}

function toTokenError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  // The remaining errors are caused by an unusable published key, such as one too short for its algorithm.
  if (!isTokenError(error)) return new AppError('unavailable', { cause: error });
  const expired = error.code === 'ERR_JWT_EXPIRED';
  const description = expired ? 'The token has expired' : 'The token does not verify';
  return new AppError(expired ? 'token_expired' : 'unauthorized', {
    cause: error,
    challenge: `${realm}, error="invalid_token", error_description="${description}"`,
  });
}

/** Creates a key lookup for the issuer. The key set is discovered on first use; a failed discovery is retried. */
function createFindKey(config: Config['jwt']): JWTVerifyGetKey {
  // Keep the key set after a failed lookup: an unknown key id during an outage must not drop the known keys.
  const keys = lazy(async () => {
    const uri = config.jwksUri ?? (await discoverJwksUri(config.issuer));
    return createRemoteJWKSet(new URL(uri), {
      timeoutDuration: keyTimeoutMs,
      cooldownDuration: keyCooldownMs,
    });
  });
  return async (header, token): Promise<CryptoKey> => {
    try {
      return await (await keys())(header, token);
    } catch (error) {
      if (isTokenError(error)) throw error;
      throw new AppError('unavailable', { cause: error });
    }
  };
}

/** Discovers the key set URL (OpenID Connect Discovery 1.0, section 4); the metadata must name the same issuer. */
async function discoverJwksUri(issuer: string): Promise<string> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(keyTimeoutMs),
    headers: { Accept: 'application/json' },
    redirect: 'error',
  });
  if (!response.ok) throw new Error(`discovery responded with ${response.status}`);
  const metadata = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (metadata.issuer !== issuer) throw new Error('the discovered metadata names another issuer');
  if (typeof metadata.jwks_uri !== 'string') throw new Error('the discovered metadata has no jwks_uri');
  return metadata.jwks_uri;
}
