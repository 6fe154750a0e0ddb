import type { RunKey } from './model/run.ts';

/** Stable codes of the API's errors, for clients to compare instead of sentences. */
export type ErrorCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'token_expired'
  | 'access_denied'
  | 'thread_not_found'
  | 'run_not_found'
  | 'thread_busy'
  | 'run_finished'
  | 'idempotency_mismatch'
  | 'payload_too_large'
  | 'request_timeout'
  | 'rate_limited'
  | 'unavailable'
  | 'internal_error';

/** Messages by field, as the contract's 400 shows them. */
export type FieldErrors = Readonly<Record<string, readonly string[]>>;

export interface AppErrorOptions {
  /** For the log only, and there only by name and code: its message may quote a request. */
  readonly cause?: unknown;
  /** unauthorized, token_expired: the `WWW-Authenticate` header (RFC 6750, section 3). */
  readonly challenge?: string;
  readonly retryAfterSeconds?: number | undefined;
  /** thread_busy: the run that the caller has to wait for, when it is known. */
  readonly activeRun?: RunKey;
  /** invalid_request: at least one. */
  readonly fieldErrors?: FieldErrors;
}

/** The one error of this application; `errorResponse` turns it into an answer. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly options: AppErrorOptions;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(code, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.options = options;
  }
}

/** The error for one faulty field of a request. */
export const fieldError = (field: string, text: string): AppError =>
  new AppError('invalid_request', { fieldErrors: { [field]: [text] } });
