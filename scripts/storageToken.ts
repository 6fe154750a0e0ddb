import type { TokenCredential } from '@azure/identity';
import type { Config } from '../shared/config.ts';
import { withTimeout } from '../shared/deadline.ts';

/** Timeout of fetching a token, in milliseconds. Generous, because az starts slowly on a busy machine. */
const tokenMs = 60_000;

/**
 * Fetches the token for all round trips in advance: their timeout is the service's, which has a cached token, while
 * fetching one on an operator's machine takes seconds.
 * @returns undefined when a connection string makes it unnecessary.
 */
export async function fetchStorageToken({
  tables,
}: Pick<Config, 'tables'>): Promise<TokenCredential | undefined> {
  if (tables.connectionString !== undefined) return undefined;
  const { DefaultAzureCredential } = await import('@azure/identity');
  const token = await withTimeout(tokenMs, (abortSignal) =>
    new DefaultAzureCredential().getToken('https://storage.azure.com/.default', { abortSignal }),
  ).catch(() => {
    throw new Error(`No token for storage within ${tokenMs / 1000} s: sign in with "az login".`);
  });
  return { getToken: async () => token };
}
