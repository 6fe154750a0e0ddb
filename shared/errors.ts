import type { RunKey } from './model/run.ts';

/** Error codes of the API. They are stable, so that clients need not compare messages. */
export type ErrorCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'token_expired'
  | 'access_denied'
  | 'editor_required'
  | 'thread_not_found'
  | 'run_not_found'
  | 'message_not_found'
  | 'assistant_not_found'
  | 'file_not_found'
  | 'document_not_found'
  | 'vector_store_not_found'
  | 'thread_busy'
  | 'run_finished'
  | 'file_not_readable'
  | 'file_expired'
  | 'run_not_waiting'
  | 'idempotency_mismatch'
  | 'steps_expired'
  | 'payload_too_large'
  | 'file_too_large'
  | 'unsupported_media_type'
  | 'request_timeout'
  | 'rate_limited'
  | 'unavailable'
  | 'internal_error';

/** Why a request was refused, where the log tells more than the response. */
export type LogReason =
  /** internal_error: the project's assistant is not in `ASSISTANTS`. */
  | 'assistant_not_configured'
  /** access_denied: the id in the path is no project id. */
  | 'project_id_malformed'
  /** access_denied: there is no such project. */
  | 'project_unknown'
  /** access_denied: the project is there, but neither token nor record gives the caller access. */
  | 'caller_not_granted';

/** Messages by field, as in the API's 400 responses. */
export type FieldErrors = Readonly<Record<string, readonly string[]>>;

export interface AppErrorOptions {
  /** For the log only, which shows its name and code: its message may quote a request. */
  readonly cause?: unknown;
  /** For the log only: what the response must not or need not tell. */
  readonly logged?: { readonly reason: LogReason } & Readonly<Record<string, string>>;
  /** unauthorized, token_expired: the `WWW-Authenticate` header (RFC 6750, section 3). */
  readonly challenge?: string;
  /** The `Retry-After` header. */
  readonly retryAfterSeconds?: number | undefined;
  /** thread_busy: the run that must end first, if known. */
  readonly activeRun?: RunKey;
  /** file_not_found: the file that the request's body names. */
  readonly fileId?: string;
  /** payload_too_large: the limit. */
  readonly maxBytes?: number;
  /** invalid_request: at least one. */
  readonly fieldErrors?: FieldErrors;
}

/** The application's error; `errorResponse` maps it to a response. */
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

/** Returns whether an error is the application's, with one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly ErrorCode[]): error is AppError =>
  error instanceof AppError && codes.includes(error.code);

/** Creates a handler for `catch` that ignores the application's errors with one of these codes. */
export const ignore =
  (...codes: readonly ErrorCode[]) =>
  (error: unknown): undefined => {
    if (!hasCode(error, ...codes)) throw error;
  };

/** Creates the error for one invalid field of a request. */
export const fieldError = (field: string, text: string): AppError =>
  new AppError('invalid_request', { fieldErrors: { [field]: [text] } });
