import type OpenAI from 'openai';
import type { Config } from '../config.ts';
import { openCredential } from '../credential.ts';
import { waitFor, withTimeout } from '../deadline.ts';
import type { ErrorCode } from '../errors.ts';
import { lazy } from '../lazy.ts';
import { CredentialUnavailable, engineFetch, toAppError } from './engineErrors.ts';

/** A call of the engine's client. */
export type Send<T> = (openai: OpenAI, options: { timeout: number; signal: AbortSignal }) => Promise<T>;

/** The engine's client; the `openai` module is loaded on first use. */
export interface EngineClient {
  readonly toolAuthorizations: Config['engine']['toolAuthorizations'];
  open(): Promise<OpenAI>;
  /**
   * Makes one call within `timeoutMs` milliseconds.
   * @param missing code of the error for a 404.
   * @throws {AppError} `rate_limited`, `unavailable`, `internal_error` or `missing`.
   */
  call<T>(timeoutMs: number, send: Send<T>, missing?: ErrorCode): Promise<T>;
}

export function createEngineClient(config: Config['engine']): EngineClient {
  // Requests for terminal runs do not need the client.
  const open = lazy(() => openClient(config));
  return {
    toolAuthorizations: config.toolAuthorizations,
    open,
    async call(timeoutMs, send, missing) {
      try {
        const openai = await open();
        return await withTimeout(timeoutMs, (signal) => send(openai, { timeout: timeoutMs, signal }));
      } catch (error) {
        throw toAppError(error, missing);
      }
    },
  };
}

/** How long a request waits for an Entra ID token, in milliseconds. */
const tokenMs = 5_000;

async function openClient({ baseUrl, apiKey, tokenScope }: Config['engine']): Promise<OpenAI> {
  const { default: Client } = await import('openai');
  return new Client({
    baseURL: baseUrl,
    apiKey: apiKey ?? (await entraTokens(tokenScope)),
    // Ignore the client's own environment variables, and never log requests.
    organization: null,
    project: null,
    logLevel: 'off',
    // A retried create could start a second run, and a retried read would outlast its caller.
    maxRetries: 0,
    fetch: engineFetch,
  });
}

async function entraTokens(scope: string): Promise<() => Promise<string>> {
  const { getBearerTokenProvider } = await import('@azure/identity');
  const tokens = getBearerTokenProvider(await openCredential(), scope);
  return async () => {
    try {
      // The client's own timeout does not cover the token request.
      return await waitFor(tokenMs, tokens());
    } catch (error) {
      throw new CredentialUnavailable('no token for the engine', { cause: error });
    }
  };
}
