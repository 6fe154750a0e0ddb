import type { HttpResponseInit } from '@azure/functions';
import { AppError, type AppErrorOptions, type ErrorCode } from '../errors.ts';
import type { ApiRequest } from '../http/endpoint.ts';
import { jsonResponse, retryAfterSeconds } from '../http/responses.ts';
import { findRoute, type Match } from './router.ts';
import { WireError, type WireErrorDetails } from './wireError.ts';

/** How an error of the service appears on this face. The SDKs choose their error class by the status. */
interface Appearance {
  readonly status: number;
  readonly type?: string;
  readonly code: string | null;
  readonly message: (params: Match['params'], options: AppErrorOptions) => string;
}

const appearances: Readonly<Record<ErrorCode, Appearance>> = {
  invalid_request: { status: 400, code: null, message: () => 'The request is invalid.' },
  unauthorized: {
    status: 401,
    code: 'invalid_api_key',
    message: () => 'Incorrect API key provided. The key must be a valid token of this service.',
  },
  token_expired: { status: 401, code: 'token_expired', message: () => 'The token has expired.' },
  access_denied: {
    status: 403,
    code: 'access_denied',
    message: () => 'You do not have access to this project.',
  },
  editor_required: {
    status: 403,
    code: 'editor_required',
    message: () => 'Only editors of the project may do this.',
  },
  thread_not_found: {
    status: 404,
    code: null,
    message: ({ threadId = '' }) => `No thread found with id '${threadId}'.`,
  },
  run_not_found: { status: 404, code: null, message: ({ runId = '' }) => `No run found with id '${runId}'.` },
  message_not_found: {
    status: 404,
    code: null,
    message: ({ messageId = '' }) => `No message found with id '${messageId}'.`,
  },
  assistant_not_found: {
    status: 404,
    code: null,
    message: ({ assistantId = '' }) => `No assistant found with id '${assistantId}'.`,
  },
  file_not_found: {
    status: 404,
    code: null,
    message: ({ fileId: id }, { fileId = id?.slice(0, 512) }) =>
      fileId === undefined ? 'No such File object.' : `No such File object: ${fileId}`,
  },
  document_not_found: { status: 404, code: null, message: () => 'No such document.' },
  vector_store_not_found: {
    status: 404,
    code: null,
    message: ({ vectorStoreId = '' }) => `No vector store found with id '${vectorStoreId.slice(0, 512)}'.`,
  },
  thread_busy: {
    status: 400,
    code: null,
    message: ({ threadId = '' }, { activeRun }) =>
      activeRun
        ? `Thread ${threadId} already has an active run ${activeRun.runId}.`
        : `Thread ${threadId} already has an active run.`,
  },
  run_finished: { status: 400, code: null, message: () => 'Cannot cancel a run that has ended.' },
  steps_expired: {
    status: 410,
    code: 'steps_expired',
    message: () => 'The steps of the run are no longer available.',
  },
  file_not_readable: {
    status: 400,
    code: 'file_not_readable',
    message: () => 'The content of this file cannot be read back.',
  },
  file_expired: { status: 410, code: 'file_expired', message: () => 'The file has expired.' },
  run_not_waiting: {
    status: 400,
    code: null,
    message: () => 'The run does not accept tool outputs, because it does not wait for any.',
  },
  idempotency_mismatch: {
    status: 422,
    code: 'idempotency_mismatch',
    message: () => 'The idempotency key was used before with another request.',
  },
  payload_too_large: {
    status: 413,
    code: 'payload_too_large',
    message: () => 'The request body is larger than 2 MiB.',
  },
  file_too_large: { status: 413, code: 'file_too_large', message: () => 'The file is too large.' },
  unsupported_media_type: {
    status: 415,
    code: 'unsupported_media_type',
    message: () =>
      'The type of the request body or the file is not accepted. The name of a file must end with the extension of a type ' +
      'that is, such as .txt, .pdf or .png, and its content be of that type.',
  },
  request_timeout: {
    status: 408,
    code: 'request_timeout',
    message: () => 'The request body did not arrive in time.',
  },
  rate_limited: {
    status: 429,
    type: 'requests',
    code: 'rate_limit_exceeded',
    message: () => 'Rate limit reached. Please try again later.',
  },
  unavailable: {
    status: 503,
    type: 'server_error',
    code: 'unavailable',
    message: () => 'The service is temporarily unavailable. Please retry your request.',
  },
  internal_error: {
    status: 500,
    type: 'server_error',
    code: null,
    message: () => 'The server had an error while processing your request.',
  },
};

/** The error object of the Assistants API. */
export interface WireErrorBody {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** Maps an error to the error object of the Assistants API. Anything but an `AppError` is a bug. */
export function toErrorBody(error: unknown, params: Match['params'] = {}): WireErrorBody {
  const known = error instanceof AppError ? error : new AppError('internal_error');
  const { type = 'invalid_request_error', code, message } = appearances[known.code];
  const details = known instanceof WireError ? known.details : fieldDetails(known.options);
  return {
    message: details?.message ?? message(params, known.options),
    type,
    param: details?.param ?? (known.options.fileId === undefined ? null : 'file_id'),
    code: details?.code ?? code,
  };
}

/** Maps an error to a response. */
export function toErrorResponse(
  error: unknown,
  _requestId: string,
  request: Pick<ApiRequest, 'method' | 'url'>,
): HttpResponseInit {
  const known = error instanceof AppError ? error : new AppError('internal_error');
  const { code, options } = known;
  const status = (error instanceof WireError && error.details.status) || appearances[code].status;
  const retryAfter = retryAfterSeconds(known);
  const body = toErrorBody(error, findRoute(request)?.params);
  return jsonResponse(
    status,
    { error: body },
    {
      ...(retryAfter !== undefined && toRetryHeaders(retryAfter)),
      ...(code === 'rate_limited' && toLimitHeaders(retryAfter)),
      ...(options.challenge && { 'WWW-Authenticate': options.challenge }),
    },
  );
}

/** The packages prefer the header in milliseconds. */
const toRetryHeaders = (seconds: number) => ({
  'Retry-After': String(Math.ceil(seconds)),
  'retry-after-ms': String(Math.ceil(seconds * 1000)),
});

/**
 * Says what a 429 says anyway. The engine's own headers are not passed on: all projects share its limits, so what is left
 * of them tells about the others.
 */
const toLimitHeaders = (seconds = 0) => ({
  'x-ratelimit-remaining-requests': '0',
  'x-ratelimit-reset-requests': `${Math.ceil(seconds)}s`,
});

/** Describes an invalid field that the service found. */
function fieldDetails({ fieldErrors }: AppErrorOptions): WireErrorDetails | undefined {
  const [field, [message] = []] = Object.entries(fieldErrors ?? {})[0] ?? [];
  if (field === undefined || message === undefined) {
    return undefined;
  }
  // The body as a whole.
  if (field === '$') return { message };
  const param = field.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
  return { message: message.replaceAll(field, param), param };
}
