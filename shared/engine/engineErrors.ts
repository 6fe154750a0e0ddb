import { AppError, type ErrorCode } from '../errors.ts';
import type { RunErrorCode } from '../model/run.ts';

/** What an error of the engine's client tells, whatever its class. */
interface EngineFault {
  /** The HTTP status, when the engine answered at all. */
  readonly status?: number;
  readonly code?: string | null;
  readonly headers?: Headers;
  /** The `error` of a JSON answer; what a proxy answers has none. */
  readonly error?: { readonly message?: string; readonly innererror?: { readonly code?: string } } | null;
  readonly cause?: unknown;
}

/** Thrown by our `fetch` in place of a failure that came before anything was sent. */
class ConnectionNeverMade extends Error {
  override readonly name = 'ConnectionNeverMade';
  /** Of the failure, such as ECONNREFUSED. As a cause it could make the client take it for a lost answer. */
  readonly code: string | undefined;

  constructor(code: string | undefined) {
    super('no connection to the engine');
    this.code = code;
  }
}

/** Failures of connecting: no byte of the request has left. From Node's net, dns and tls, and from undici. */
const connectCodes =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|CERT_.*|DEPTH_ZERO_.*|SELF_SIGNED_.*|UNABLE_TO_.*)$/;

/** `fetch`, telling apart the failures after which it is certain that the engine knows nothing of the request. */
export const engineFetch: typeof fetch = async (...request) => {
  try {
    return await fetch(...request);
  } catch (error) {
    const cause = (error as Error).cause as { code?: string; errors?: { code?: string }[] } | undefined;
    const codes = cause?.errors?.map(({ code }) => code) ?? [cause?.code];
    throw codes.every((code) => connectCodes.test(code ?? '')) ? new ConnectionNeverMade(codes[0]) : error;
  }
};

/** Whether the engine certainly did not act on the request. Any 5xx and every lost answer leave it open. */
export function isRefusal(error: unknown): boolean {
  const { status, cause } = error as EngineFault;
  if (status !== undefined) return status >= 400 && status < 500 && status !== 408;
  if (toPromptRefusal(error) !== undefined || isQuotaError(error as EngineFault)) return true;
  return cause instanceof ConnectionNeverMade || cause instanceof CredentialUnavailable;
}

/** The engine's codes for what is wrong with a run, in the words of the contract. */
const runErrorCodes: ReadonlyMap<string, RunErrorCode> = new Map([
  ['content_filter', 'content_filter'],
  ['content_policy_violation', 'content_filter'],
  ['ResponsibleAIPolicyViolation', 'content_filter'],
  ['context_length_exceeded', 'context_length_exceeded'],
  ['string_above_max_length', 'context_length_exceeded'],
  ['invalid_prompt', 'invalid_prompt'],
  ['max_output_tokens', 'max_output_tokens'],
  ['rate_limit_exceeded', 'rate_limited'],
  ['insufficient_quota', 'rate_limited'],
]);

/** Translates the code of a run that failed in the engine; `engine_error` for any other code. */
export const toRunErrorCode = (code: string | null | undefined): RunErrorCode =>
  runErrorCodes.get(code ?? '') ?? 'engine_error';

const promptErrorCodes: ReadonlySet<RunErrorCode> = new Set([
  'content_filter',
  'context_length_exceeded',
  'invalid_prompt',
]);

/**
 * Tells why the engine refused what people wrote: with status 400, or as a stream that begins with an error.
 * @returns undefined for every other error.
 */
export function toPromptRefusal(error: unknown): RunErrorCode | undefined {
  const { status, code, error: body } = error as EngineFault;
  if (status !== undefined && status !== 400) return undefined;
  return [code, body?.innererror?.code]
    .map((one) => runErrorCodes.get(one ?? ''))
    .find((one) => one !== undefined && promptErrorCodes.has(one));
}

/** A limit that the engine reports as the first event of a stream, where there is no status. */
const isQuotaError = ({ status, code }: EngineFault): boolean =>
  status === undefined && runErrorCodes.get(code ?? '') === 'rate_limited';

/** No token for the engine could be had from Entra ID, so nothing was sent. */
export class CredentialUnavailable extends Error {
  override readonly name = 'CredentialUnavailable';
}

/**
 * Whether a 404 speaks of the thread or the run that was asked for. One about a model's deployment or a vector store,
 * or without the engine's own error in it, says that our configuration is wrong.
 */
function isAbsence({ status, code, error }: EngineFault): boolean {
  if (status !== 404 || !error || code === 'model_not_found' || code === 'DeploymentNotFound') return false;
  return !/vector.?store/i.test(error.message ?? '');
}

/**
 * The engine's failures in the application's words; its messages go no further, they may quote what people wrote.
 * @param missing what a 404 means for this call; without it, that our configuration is wrong.
 */
export function toAppError(error: unknown, missing?: ErrorCode): AppError {
  const { status, headers } = error as EngineFault;
  const retryAfterSeconds = parseRetryAfter(headers);
  if (status === 429 || isQuotaError(error as EngineFault)) {
    return new AppError('rate_limited', { cause: error, retryAfterSeconds });
  }
  if (status === undefined || status >= 500 || status === 408) {
    return new AppError('unavailable', { cause: error, retryAfterSeconds });
  }
  const absent = isAbsence(error as EngineFault) ? missing : undefined;
  return new AppError(absent ?? 'internal_error', { cause: error });
}

/** The engine may hold a conversation for some seconds after a run was cancelled. */
const lockedRetrySeconds = 5;

/** The same for a start: it finds the conversation gone, or taken by a run that our records do not know. */
export function toStartError(error: unknown): AppError {
  const locked = (error as EngineFault).code === 'conversation_locked' && isRefusal(error);
  return locked
    ? new AppError('thread_busy', { cause: error, retryAfterSeconds: lockedRetrySeconds })
    : toAppError(error, 'thread_not_found');
}

/** A longer wait is passed on as this one: an hour is long enough to look again. */
const maxRetryAfterSeconds = 3_600;

/** RFC 9110, section 10.2.3: seconds or a date; and the engine's own header in milliseconds, which is finer. */
function parseRetryAfter(headers: Headers | undefined): number | undefined {
  const milliseconds = headers?.get('retry-after-ms') ?? '';
  const value = headers?.get('retry-after') ?? '';
  const seconds = isNumber(milliseconds)
    ? Number(milliseconds) / 1000
    : isNumber(value)
      ? Number(value)
      : // `Date.parse` takes a lone number for a date.
        /[a-z]/i.test(value) && (Date.parse(value) - Date.now()) / 1000;
  if (seconds === false || Number.isNaN(seconds)) return undefined;
  return Math.min(maxRetryAfterSeconds, Math.max(0, seconds));
}

const isNumber = (value: string) => /^\d+(\.\d+)?$/.test(value);
