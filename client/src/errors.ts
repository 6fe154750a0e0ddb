import type { Run } from './types.ts';

/* No message of these holds a token or a body: messages are logged. */

/** The service refused a request. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status. */
  declare readonly status: number;
  /** The error's stable code, such as `thread_busy`; undefined for a 400 and for responses that are not the service's. */
  declare readonly code: string | undefined;
  /** The service's own sentence, for people. */
  declare readonly detail: string | undefined;
  /** Names the request in the service's log. */
  declare readonly requestId: string | undefined;
  /** Messages by field of a 400; otherwise empty. */
  declare readonly errors: Readonly<Record<string, readonly string[]>>;
  /** Seconds after which to try again, if the service said so. */
  declare readonly retryAfter: number | undefined;
  /** The unfinished run of the thread, with the code `thread_busy`. */
  declare readonly activeRunId: string | undefined;

  constructor(details: Omit<ApiError, keyof Error>) {
    // Names of fields only, even if it is not the service that responds.
    const fields = Object.keys(details.errors).filter((name) => /^[\w$-]{1,40}$/.test(name));
    const what = details.code ?? (fields.length > 0 && `invalid ${fields.join(', ')}`);
    const request = details.requestId !== undefined && `(request ${details.requestId})`;
    super(['The service responded', details.status, what, request].filter(Boolean).join(' '));
    Object.assign(this, details);
  }
}

/** No usable response arrived: the network failed, or the request's time was up. `cause` is the platform's error. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** Whether the time was up. */
  readonly timedOut: boolean;

  constructor(message: string, { timedOut = false, cause }: { timedOut?: boolean; cause?: unknown } = {}) {
    super(message, { cause });
    this.timedOut = timedOut;
  }
}

/** A run had not ended after `timeoutMs`. It goes on. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/** A run failed, expired, was cancelled, or waits for outputs where its completion was expected. */
export class RunFailedError extends Error {
  override readonly name = 'RunFailedError';
  readonly run: Run;

  constructor(run: Run) {
    super(`The run is ${run.status}${run.errorCode ? `: ${run.errorCode}` : ''}`);
    this.run = run;
  }
}
