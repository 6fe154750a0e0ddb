import { type CryptoKey, createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { createCache } from '../cache.ts';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import { lazy } from '../lazy.ts';
import { type Caller, toCaller } from './caller.ts';

/** Turns the value of an `Authorization` header into the caller. */
export type Authenticate = (authorization: string | null) => Promise<Caller>;

/** Asymmetric only: with an HMAC algorithm the public key would be the secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** Longest wait for the issuer's metadata and for its keys, each. */
const keyTimeoutMs = 3_000;

/** At most one request for keys in this time, however many unknown key ids arrive. */
const keyCooldownMs = 30_000;

/** How long a worker takes a token that it has verified for good, never beyond its `exp`: a client sends it often. */
const verifiedMs = 30_000;

/** Tokens remembered at a time. */
const verifiedLimit = 1_000;

const realm = 'Bearer realm="thread-runs"';

/** jose's codes that speak of the token; any other failure is not the caller's. */
const tokenFaults = new Set([
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

const isTokenFault = (error: unknown): error is errors.JOSEError =>
  error instanceof errors.JOSEError && tokenFaults.has(error.code);

/**
 * Verifies bearer tokens of the configured issuer: signature, `iss`, `aud`, `exp`, `nbf`, and that there is a `sub`.
 * No clock tolerance: a token ends when it says so.
 * The returned function throws `unauthorized` or `token_expired` for what is wrong with the token,
 * and `unavailable` when the issuer's keys cannot be had.
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
  // What is left is a published key that is no good, such as one too short for its algorithm.
  if (!isTokenFault(error)) return new AppError('unavailable', { cause: error });
  const expired = error.code === 'ERR_JWT_EXPIRED';
  const description = expired ? 'The token has expired' : 'The token does not verify';
  return new AppError(expired ? 'token_expired' : 'unauthorized', {
    cause: error,
    challenge: `${realm}, error="invalid_token", error_description="${description}"`,
  });
}

/** The issuer's keys, discovered on first use and kept; a failed discovery is not remembered. */
function createFindKey(config: Config['jwt']): JWTVerifyGetKey {
  // Only a failed discovery is forgotten: an unknown key id during an outage must not cost the keys in hand.
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
      if (isTokenFault(error)) throw error;
      throw new AppError('unavailable', { cause: error });
    }
  };
}

/** OpenID Connect Discovery 1.0, section 4: the metadata must speak of this very issuer. */
async function discoverJwksUri(issuer: string): Promise<string> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(keyTimeoutMs),
    headers: { Accept: 'application/json' },
    redirect: 'error',
  });
  if (!response.ok) throw new Error(`discovery answered ${response.status}`);
  const metadata = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (metadata.issuer !== issuer) throw new Error('the discovered metadata names another issuer');
  if (typeof metadata.jwks_uri !== 'string') throw new Error('the discovered metadata has no jwks_uri');
  return metadata.jwks_uri;
}
