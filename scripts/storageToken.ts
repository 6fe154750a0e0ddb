import type { TokenCredential } from '@azure/identity';
import type { Config } from '../shared/config.ts';
import { withTimeout } from '../shared/deadline.ts';

/** Timeout of fetching a token, in milliseconds. Generous, because az starts slowly on a busy machine. */
const tokenMs = 60_000;

/** How long before its expiry a token is replaced, in milliseconds. */
const renewalMs = 5 * 60_000;

/**
 * Fetches the token for all round trips in advance: their timeout is the service's, which has a cached token, while
 * fetching one on an operator's machine takes seconds. A long command gets a new one before it expires.
 * @returns undefined when a connection string makes it unnecessary.
 */
export async function fetchStorageToken({
  tables,
}: Pick<Config, 'tables'>): Promise<TokenCredential | undefined> {
  if (tables.connectionString !== undefined) return undefined;
  const { DefaultAzureCredential } = await import('@azure/identity');
  const credential = new DefaultAzureCredential();
  const fetchToken = () =>
    withTimeout(tokenMs, (abortSignal) =>
      credential.getToken('https://storage.azure.com/.default', { abortSignal }),
    ).catch(() => {
      throw new Error(`No token for storage within ${tokenMs / 1000} s: sign in with "az login".`);
    });
  let token = await fetchToken();
  return {
    async getToken() {
      if (token.expiresOnTimestamp - Date.now() < renewalMs) token = await fetchToken();
      return token;
    },
  };
}
