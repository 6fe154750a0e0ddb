import type { HttpResponseInit } from '@azure/functions';
import { AppError, type ErrorCode, type FieldErrors } from '../errors.ts';
import { maxBodyBytes } from './readBody.ts';
import { runLocation } from './runBody.ts';

const statuses: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  unauthorized: 401,
  token_expired: 401,
  access_denied: 403,
  editor_required: 403,
  thread_not_found: 404,
  run_not_found: 404,
  message_not_found: 404,
  assistant_not_found: 404,
  file_not_found: 404,
  document_not_found: 404,
  vector_store_not_found: 404,
  thread_busy: 409,
  run_finished: 409,
  file_not_readable: 409,
  file_expired: 410,
  run_not_waiting: 409,
  idempotency_mismatch: 422,
  steps_expired: 410,
  payload_too_large: 413,
  file_too_large: 413,
  unsupported_media_type: 415,
  request_timeout: 408,
  rate_limited: 429,
  unavailable: 503,
  internal_error: 500,
};

const messages: Readonly<Partial<Record<ErrorCode, string>>> = {
  unauthorized: 'Unauthorized access',
  token_expired: 'Unauthorized access',
  access_denied: 'Access denied to project',
  editor_required: 'Only editors of the project may do this',
  thread_not_found: 'Thread not found',
  run_not_found: 'Run not found',
  message_not_found: 'Message not found',
  assistant_not_found: 'Assistant not found',
  file_not_found: 'File not found',
  document_not_found: 'Document not found',
  vector_store_not_found: 'Vector store not found',
  thread_busy: 'Thread already has an active run',
  run_finished: 'Run has already finished',
  file_expired: 'The file has expired',
  file_not_readable: 'The content of this file cannot be read back',
  run_not_waiting: 'Run does not wait for these outputs',
  idempotency_mismatch: 'The Idempotency-Key was used before with another request body',
  steps_expired: 'The steps of the run are no longer available',
  file_too_large: 'The file is too large',
  unsupported_media_type: 'The request body or the file has a type that is not accepted',
  request_timeout: 'The request body did not arrive in time',
  rate_limited: 'Too many requests',
};

/** Default `Retry-After` by error code, in seconds. */
const defaultRetryAfterSeconds: Readonly<Partial<Record<ErrorCode, number>>> = {
  thread_busy: 2,
  rate_limited: 5,
  unavailable: 5,
};

/** Returns when a failed request may be tried again, in seconds; undefined for an error that does not pass by itself. */
export const retryAfterSeconds = ({ code, options }: AppError): number | undefined =>
  options.retryAfterSeconds ?? defaultRetryAfterSeconds[code];

/** Creates a JSON response. */
export function jsonResponse(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): HttpResponseInit & { status: number; headers: Record<string, string> } {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

/** Response headers readable by cross-origin scripts (Fetch standard, section 3.3.5). */
const exposedHeaders = [
  'Location',
  'ETag',
  'Content-Disposition',
  'Retry-After',
  'X-Request-Id',
  'Idempotency-Replayed',
  'Preference-Applied',
].join(', ');

/** Adds the headers common to all responses. */
export const withCommonHeaders = (response: HttpResponseInit, requestId: string): HttpResponseInit => ({
  ...response,
  headers: {
    ...response.headers,
    'X-Request-Id': requestId,
    'Access-Control-Expose-Headers': exposedHeaders,
  },
});

/**
 * Maps an error to a response. Anything but an `AppError` is a bug and becomes a 500.
 * @param failure the route's message for 500 and 503.
 * @param requestId the only detail included in 500 and 503.
 */
export function errorResponse(error: unknown, failure: string, requestId: string) {
  const known = error instanceof AppError ? error : new AppError('internal_error');
  const { code, options } = known;
  const status = statuses[code];
  if (code === 'invalid_request') {
    return jsonResponse(status, validationProblem(options.fieldErrors), {
      'Content-Type': 'application/problem+json; charset=utf-8',
    });
  }
  const retryAfter = retryAfterSeconds(known);
  return jsonResponse(
    status,
    {
      message: code === 'payload_too_large' ? tooLarge(options.maxBytes) : (messages[code] ?? failure),
      code,
      ...(status >= 500 && { details: requestId }),
      ...(code === 'thread_busy' && { activeRunId: options.activeRun?.runId ?? null }),
    },
    {
      ...(retryAfter !== undefined && { 'Retry-After': String(Math.ceil(retryAfter)) }),
      ...(options.challenge && { 'WWW-Authenticate': options.challenge }),
      ...(options.activeRun && { Location: runLocation(options.activeRun) }),
    },
  );
}

const tooLarge = (maxBytes = maxBodyBytes): string =>
  `The request body is larger than ${maxBytes / 1024 / 1024} MiB`;

function validationProblem(errors: FieldErrors | undefined) {
  return {
    type: 'https://tools.ietf.org/html/rfc7231#section-6.5.1',
    title: 'One or more validation errors occurred.',
    status: 400,
    errors: errors ?? {},
  };
}
