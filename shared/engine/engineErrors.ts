import { AppError, type ErrorCode, fieldError } from '../errors.ts';
import type { RunErrorCode } from '../model/run.ts';
import type { NamedVectorStore } from '../model/toolResources.ts';

/** The properties read from errors of the engine's client, whatever their class. */
interface EngineClientError {
  /** Present when the engine responded. */
  readonly status?: number;
  readonly code?: string | null;
  readonly param?: string | null;
  readonly headers?: Headers;
  /** The `error` of a JSON response body; responses of a proxy have none. */
  readonly error?: { readonly message?: string; readonly innererror?: { readonly code?: string } } | null;
  readonly cause?: unknown;
}

/** Thrown by {@link engineFetch} when a request failed before any byte was sent. */
class ConnectionNeverMade extends Error {
  override readonly name = 'ConnectionNeverMade';
  /** Code such as ECONNREFUSED. Not a `cause`: the client could mistake that for a lost response. */
  readonly code: string | undefined;

  constructor(code: string | undefined) {
    super('no connection to the engine');
    this.code = code;
  }
}

/** Error codes of failed connection attempts: no byte was sent. From Node's net, dns and tls, and from undici. */
const connectCodes =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|CERT_.*|DEPTH_ZERO_.*|SELF_SIGNED_.*|UNABLE_TO_.*)$/;

/** Wraps `fetch`. @throws {ConnectionNeverMade} when the request certainly did not reach the engine. */
export const engineFetch: typeof fetch = async (...request) => {
  try {
    return await fetch(...request);
  } catch (error) {
    const cause = (error as Error).cause as { code?: string; errors?: { code?: string }[] } | undefined;
    const codes = cause?.errors?.map(({ code }) => code) ?? [cause?.code];
    throw codes.every((code) => connectCodes.test(code ?? '')) ? new ConnectionNeverMade(codes[0]) : error;
  }
};

/** Returns whether the engine certainly did not act on the request. After a 5xx or a lost response it may have. */
export function isRefusal(error: unknown): boolean {
  const { status, cause } = error as EngineClientError;
  if (status !== undefined) return status >= 400 && status < 500 && status !== 408;
  if (toPromptRefusal(error) !== undefined || isQuotaError(error as EngineClientError)) return true;
  return cause instanceof ConnectionNeverMade || cause instanceof CredentialUnavailable;
}

/** Maps the engine's error codes to the API's. */
const runErrorCodes: ReadonlyMap<string, RunErrorCode> = new Map([
  ['content_filter', 'content_filter'],
  ['content_policy_violation', 'content_filter'],
  ['ResponsibleAIPolicyViolation', 'content_filter'],
  ['context_length_exceeded', 'context_length_exceeded'],
  ['string_above_max_length', 'context_length_exceeded'],
  ['image_content_policy_violation', 'content_filter'],
  ['invalid_prompt', 'invalid_prompt'],
  ...[
    'invalid_image',
    'invalid_image_format',
    'image_parse_error',
    'image_too_large',
    'image_too_small',
    'image_file_too_large',
    'image_file_not_found',
    'empty_image_file',
    'unsupported_image_media_type',
  ].map((code) => [code, 'invalid_prompt'] as const),
  ['max_output_tokens', 'max_output_tokens'],
  ['rate_limit_exceeded', 'rate_limited'],
  ['insufficient_quota', 'rate_limited'],
]);

/** Translates the engine's error code of a failed run; `engine_error` for an unknown code. */
export const toRunErrorCode = (code: string | null | undefined): RunErrorCode =>
  runErrorCodes.get(code ?? '') ?? 'engine_error';

const promptErrorCodes: ReadonlySet<RunErrorCode> = new Set([
  'content_filter',
  'context_length_exceeded',
  'invalid_prompt',
]);

/**
 * Returns why the engine refused the message or the instructions, with status 400 or as the first event of a stream.
 * @returns undefined for every other error.
 */
export function toPromptRefusal(error: unknown): RunErrorCode | undefined {
  const { status, code, error: body } = error as EngineClientError;
  if (status !== undefined && status !== 400) return undefined;
  return [code, body?.innererror?.code]
    .map((one) => runErrorCodes.get(one ?? ''))
    .find((one) => one !== undefined && promptErrorCodes.has(one));
}

/**
 * Returns whether the engine refused a response because calls of the conversation and outputs in the request do not
 * match: "No tool output found for function call …", "No tool call found for function call output …", or the same for
 * approvals. There is no code for it.
 */
export function isCallMismatch(error: unknown): boolean {
  const { status, error: body } = error as EngineClientError;
  return (
    status === 400 && /\bno tool (output|call) found\b|\bapproval\b|mcp_approval/i.test(body?.message ?? '')
  );
}

/** Detects a rate limit reported as the first event of a stream, which has no status. */
const isQuotaError = ({ status, code }: EngineClientError): boolean =>
  status === undefined && runErrorCodes.get(code ?? '') === 'rate_limited';

/** Thrown when Entra ID issued no token for the engine, so nothing was sent. */
export class CredentialUnavailable extends Error {
  override readonly name = 'CredentialUnavailable';
}

/**
 * Returns whether a 404 concerns what was requested. A 404 for a model deployment, for a vector store unless one was
 * requested, or without the engine's error body, means that the configuration is wrong.
 */
function isAbsence({ status, code, error }: EngineClientError, missing: ErrorCode | undefined): boolean {
  if (status !== 404 || !error || code === 'model_not_found' || code === 'DeploymentNotFound') return false;
  return missing === 'vector_store_not_found' || !/vector.?store/i.test(error.message ?? '');
}

/**
 * Translates an error of the engine. Drops its message, which may quote user input.
 * @param missing code for a 404 of this call; by default a 404 means that the configuration is wrong.
 */
export function toAppError(error: unknown, missing?: ErrorCode): AppError {
  if (error instanceof AppError) return error;
  const { status, headers } = error as EngineClientError;
  const retryAfterSeconds = parseRetryAfter(headers);
  if (status === 429 || isQuotaError(error as EngineClientError)) {
    return new AppError('rate_limited', { cause: error, retryAfterSeconds });
  }
  if (status === undefined || status >= 500 || status === 408) {
    return new AppError('unavailable', { cause: error, retryAfterSeconds });
  }
  const absent = isAbsence(error as EngineClientError, missing) ? missing : undefined;
  return new AppError(absent ?? 'internal_error', { cause: error });
}

/** Returns whether the engine refused a message because of a file that it does not have, or no longer. */
const isMissingFile = ({ status, param, error }: EngineClientError): boolean =>
  (status === 400 || status === 404) &&
  (/file_ids?\b/.test(param ?? '') ||
    /\bfiles?\b.*\b(not found|not exist|no such)|\bno such file/i.test(error?.message ?? ''));

/** Translates the error of a list that starts after an item: engines refuse one that is not, or no longer, there. */
export const toCursorError = (error: unknown): unknown => {
  const { status } = error as EngineClientError;
  return status === 400 || status === 404 ? new AppError('message_not_found', { cause: error }) : error;
};

/**
 * Returns the vector store that the engine refused a run for, among those that the run's thread or assistant names: it was
 * deleted or has expired. Engines word that differently, but tell its id.
 */
export const findLostStore = (
  error: unknown,
  named: readonly NamedVectorStore[] = [],
): NamedVectorStore | undefined => {
  const { status, error: body } = error as EngineClientError;
  if (status !== 400 && status !== 404) return undefined;
  return named.find(({ engineStoreId }) => body?.message?.includes(engineStoreId));
};

/** Creates the error for it. The thread or the assistant must name another one, or none. */
export const lostStoreError = ({ vectorStoreId }: NamedVectorStore): AppError =>
  fieldError(
    'ToolResources.FileSearch.VectorStoreIds',
    `The field ToolResources.FileSearch.VectorStoreIds of the thread or the assistant names ${vectorStoreId}, which was deleted or has expired.`,
  );

/** The engine may keep a conversation locked for some seconds after a run was cancelled. */
const lockedRetrySeconds = 5;

/** Translates an error of a start, which may also find the conversation missing or locked by an unrecorded run. */
export function toStartError(error: unknown): AppError {
  if (isMissingFile(error as EngineClientError)) return new AppError('file_not_found', { cause: error });
  const locked = (error as EngineClientError).code === 'conversation_locked' && isRefusal(error);
  return locked
    ? new AppError('thread_busy', { cause: error, retryAfterSeconds: lockedRetrySeconds })
    : toAppError(error, 'thread_not_found');
}

/** Upper bound of `retryAfterSeconds`. */
const maxRetryAfterSeconds = 3_600;

/** Parses `Retry-After` (RFC 9110, section 10.2.3: seconds or a date), or the more precise `retry-after-ms`. */
function parseRetryAfter(headers: Headers | undefined): number | undefined {
  const milliseconds = headers?.get('retry-after-ms') ?? '';
  const value = headers?.get('retry-after') ?? '';
  const seconds = isNumber(milliseconds)
    ? Number(milliseconds) / 1000
    : isNumber(value)
      ? Number(value)
      : // `Date.parse` accepts a bare number as a date.
        /[a-z]/i.test(value) && (Date.parse(value) - Date.now()) / 1000;
  if (seconds === false || Number.isNaN(seconds)) return undefined;
  return Math.min(maxRetryAfterSeconds, Math.max(0, seconds));
}

const isNumber = (value: string) => /^\d+(\.\d+)?$/.test(value);
