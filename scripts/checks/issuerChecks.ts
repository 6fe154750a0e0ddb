import { codeOf, isTimeout } from '../../local/explain.ts';
import type { Config } from '../../shared/config.ts';
import { CheckError, type Checklist } from './checklist.ts';

/** Timeout of a request to the issuer, in milliseconds; that of the service. */
const issuerMs = 3_000;

/** Checks that the service can find the issuer's keys. */
export async function checkIssuer(list: Checklist, { issuer, jwksUri }: Config['jwt']): Promise<void> {
  list.heading(`Token issuer ${issuer}`);
  const keys = jwksUri
    ? { value: jwksUri }
    : await list.check('GET /.well-known/openid-configuration: the issuer and the address of its keys', () =>
        discover(issuer),
      );
  const asked = 'GET the key set: public keys that verify tokens';
  if (!keys) return list.skip(asked, 'without their address');
  await list.check(`${asked}, at ${keys.value}`, () => fetchKeys(keys.value));
}

async function discover(issuer: string): Promise<string> {
  const metadata = await getJson(
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    'JWT_ISSUER',
  );
  if (metadata['issuer'] !== issuer) {
    throw new CheckError(`the metadata names another issuer: ${shown(metadata['issuer'])}`, {
      advice: "JWT_ISSUER: it must be what the metadata and the tokens' `iss` say, to the last slash.",
    });
  }
  const uri = metadata['jwks_uri'];
  if (typeof uri !== 'string') {
    throw new CheckError('the metadata has no jwks_uri', { advice: 'JWT_ISSUER, or set JWT_JWKS_URI.' });
  }
  return uri;
}

async function fetchKeys(uri: string): Promise<void> {
  const { keys } = await getJson(uri, "JWT_JWKS_URI (or the issuer's jwks_uri)");
  const usable = (Array.isArray(keys) ? keys : []).filter(({ kty }) => ['RSA', 'EC', 'OKP'].includes(kty));
  if (usable.length === 0) {
    throw new CheckError('it holds no RSA, EC or OKP key', {
      advice: 'that the address is that of a key set, and that tokens are signed with asymmetric keys.',
    });
  }
}

/** @param setting which setting holds the address. */
async function getJson(url: string, setting: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(issuerMs),
    headers: { Accept: 'application/json' },
    redirect: 'error',
  }).catch((error) => {
    const why = isTimeout(error)
      ? 'did not answer in time'
      : `cannot be reached (${codeOf(error) ?? error.name})`;
    throw new CheckError(`${url} ${why}`, { advice: `${setting}, and whether the issuer is running.` });
  });
  const advice = `${setting}: the address must be the issuer's, without a path that it does not have.`;
  if (!response.ok) throw new CheckError(`${url} answered ${response.status}`, { advice });
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body !== 'object' || body === null)
    throw new CheckError(`${url} did not answer with JSON`, { advice });
  return body as Record<string, unknown>;
}

const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 200) ?? 'none';
