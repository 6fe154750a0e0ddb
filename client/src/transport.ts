import { abortable, pause, startDeadline } from './abort.ts';
import { ApiError, ConnectionError } from './errors.ts';
import type { Timing } from './types.ts';

/** Gives a token: text, or a function that is called for the first request and once more after each 401. */
export type TokenSource = string | (() => string | Promise<string>);

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the base URL, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly form?: FormData;
  readonly signal?: AbortSignal | undefined;
  /** How long one attempt may take, in milliseconds; `Infinity` for files. */
  readonly timeoutMs?: number;
  /** `refused`: only after a response that says that nothing was done, because the request must not be sent twice. */
  readonly retry?: 'always' | 'refused' | 'never';
  /** For deletions: after an attempt without a response, a 404 means that it had succeeded. */
  readonly goneIsDone?: boolean;
}

export interface Transport {
  /** Sends a request, with its retries. @param read reads the response within the time of the attempt. */
  send<T>(request: ApiRequest, read: (response: Response) => Promise<T> | T): Promise<T>;
  /** Sends a request for JSON. */
  json<T>(request: ApiRequest): Promise<T>;
  /** Returns how long to pause before a retry, in milliseconds; undefined if the error is not worth a retry. */
  retryDelay(error: unknown, attempt: number): number | undefined;
}

/**
 * Keeps requests out of the browser's cache. There, Firefox lets a request wait until a stream from the same address has
 * ended, such as that of another tab. Some edge runtimes do not know the option, and refuse it.
 */
const uncached: RequestInit = 'cache' in Request.prototype ? { cache: 'no-store' } : {};

const maxRetries = 3;
const transientStatuses = new Set([429, 502, 503, 504]);

/** Creates what sends the requests of a client. */
export function createTransport(
  baseUrl: string,
  token: TokenSource,
  fetch: typeof globalThis.fetch,
  timing: Timing,
): Transport {
  const root = baseUrl.replace(/\/+$/, '');
  const authorize = createAuthorizer(token);

  /** Sends one attempt. @throws {ApiError | ConnectionError} and the reason of the caller's signal. */
  async function attempt<T>(
    { method = 'GET', path, headers, json, form, signal, timeoutMs = timing.requestMs }: ApiRequest,
    bearer: string,
    read: (response: Response) => Promise<T> | T,
  ): Promise<T> {
    const body = json === undefined ? form : JSON.stringify(json);
    const deadline = startDeadline(Number.isFinite(timeoutMs) ? timeoutMs : undefined, signal);
    try {
      const response = await fetch(root + path, {
        method,
        headers: {
          Authorization: `Bearer ${bearer}`,
          ...(json !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body }),
        ...uncached,
        signal: deadline.signal,
      });
      if (!response.ok) throw await toApiError(response);
      return await read(response);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ApiError) throw error;
      const timedOut = deadline.timedOut();
      // The message of a syntax error quotes the body.
      const cause = (error as Error).name === 'SyntaxError' ? undefined : error;
      const message = timedOut ? `No response within ${timeoutMs} ms` : 'The connection failed';
      throw new ConnectionError(message, { timedOut, cause });
    } finally {
      deadline.clear();
    }
  }

  function retryDelay(error: unknown, attempts: number): number | undefined {
    const retryAfterMs = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
    const transient =
      error instanceof ConnectionError || (error instanceof ApiError && transientStatuses.has(error.status));
    if (!transient || retryAfterMs > timing.maxRetryMs) return undefined;
    const backoff = timing.retryMs * 2 ** attempts * (0.5 + Math.random() / 2);
    // Jitter after a Retry-After too: the service names the same time to everyone.
    return Math.min(retryAfterMs + backoff, timing.maxRetryMs);
  }

  async function send<T>(request: ApiRequest, read: (response: Response) => Promise<T> | T): Promise<T> {
    const { signal, retry = 'always', goneIsDone } = request;
    let renewed = false;
    let lost = false;
    for (let retries = 0; ; ) {
      signal?.throwIfAborted();
      const credentials = authorize();
      const bearer = await abortable(credentials, signal);
      try {
        return await attempt(request, bearer, read);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof ApiError) {
          if (error.status === 401 && !renewed && authorize.renew(credentials)) {
            renewed = true;
            continue;
          }
          if (error.status === 404 && lost && goneIsDone) return undefined as T;
        }
        lost ||= !(error instanceof ApiError) || error.status >= 502;
        const delay = retryDelay(error, retries);
        // After these two the service has done nothing.
        const refused = error instanceof ApiError && (error.status === 429 || error.status === 503);
        const allowed = retry === 'always' || (retry === 'refused' && refused);
        if (delay === undefined || !allowed || retries >= maxRetries) throw error;
        retries += 1;
        await pause(delay, signal);
      }
    }
  }

  return {
    send,
    retryDelay,
    json: <T>(request: ApiRequest) =>
      send(request, async (response) => (response.status === 204 ? undefined : await response.json()) as T),
  };
}

/** Returns a function that gives the current token, the same to all until one of them renews it. */
function createAuthorizer(source: TokenSource) {
  let current: Promise<string> | undefined;
  const authorize = (): Promise<string> => {
    if (!current) {
      const asked = Promise.resolve()
        .then(typeof source === 'string' ? () => source : source)
        .then(checkToken);
      current = asked;
      // A failure is not kept: the next request asks again.
      asked.catch(() => {
        if (current === asked) current = undefined;
      });
    }
    return current;
  };
  /** Lets the next call ask for a token, unless one has been asked for since. @returns whether that makes sense. */
  authorize.renew = (refused: Promise<string>): boolean => {
    if (typeof source === 'string') return false;
    if (current === refused) current = undefined;
    return true;
  };
  return authorize;
}

/** Returns a token for a header. A platform's error about an impossible header would quote it. */
function checkToken(token: string): string {
  const trimmed = token.trim();
  if (/^[!-~]+$/.test(trimmed)) return trimmed;
  throw new TypeError('The token is empty or has characters that no token has');
}

/** Returns the seconds of a `Retry-After`, which may be a date (RFC 9110, section 10.2.3). */
function toSeconds(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined;
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

/** Reads an error of the service, or of whatever responded in its place. */
async function toApiError(response: Response): Promise<ApiError> {
  // biome-ignore lint/suspicious/noExplicitAny: it is whatever came.
  const body: any = await response.json().catch(() => undefined);
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return new ApiError({
    status: response.status,
    code: /^[a-z_]{1,64}$/.exec(text(body?.code) ?? '')?.[0],
    detail: text(body?.message) ?? text(body?.title),
    requestId: response.headers.get('X-Request-Id') ?? undefined,
    errors: typeof body?.errors === 'object' ? { ...body.errors } : {},
    retryAfter: toSeconds(response.headers.get('Retry-After')),
    activeRunId: text(body?.activeRunId),
  });
}
