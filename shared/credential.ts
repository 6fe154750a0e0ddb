import type { TokenCredential } from '@azure/identity';
import { waitFor } from './deadline.ts';

/** Timeout of a token request, in milliseconds. Generous, because az starts slowly on a busy machine. */
const tokenRequestMs = 30_000;

/**
 * Opens the credential for Entra ID tokens: the app's managed identity, or what the machine is signed in with. Gives up a
 * token request that hangs. It has no timeout of its own, and the clients share it: all would wait for it.
 * @param timeoutMs of a token request.
 */
export async function openCredential(timeoutMs = tokenRequestMs): Promise<TokenCredential> {
  const { DefaultAzureCredential } = await import('@azure/identity');
  const credential = new DefaultAzureCredential();
  return { getToken: (scopes, options) => waitFor(timeoutMs, credential.getToken(scopes, options)) };
}
