interface ErrorDetails {
  code?: string;
  param?: string;
  type?: string;
}

/** An error response, in the wire format of the real API. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: { error: { message: string; type: string; param: string | null; code: string | null } };

  constructor(status: number, message: string, details: ErrorDetails = {}) {
    super(message);
    this.status = status;
    const { type = 'invalid_request_error', param = null, code = null } = details;
    this.body = { error: { message, type, param, code } };
  }
}

export function badRequest(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, message, { ...(param && { param }), ...(code && { code }) });
}

export function missingParameter(param: string): ApiError {
  return badRequest(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
}

export function invalidType(param: string, expected: string, value: unknown): ApiError {
  const message = `Invalid type for '${param}': expected ${expected}, but got ${describe(value)} instead.`;
  return badRequest(message, param, 'invalid_type');
}

export function notFound(kind: 'Conversation' | 'Response' | 'Item', id: string, param: string): ApiError {
  return new ApiError(404, `${kind} with id '${id}' not found.`, { param });
}

export function conversationLocked(): ApiError {
  const message =
    'Another process is currently operating on this conversation. Please retry in a few seconds.';
  return badRequest(message, 'conversation', 'conversation_locked');
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal number';
  return typeof value === 'undefined' ? 'nothing' : `a ${typeof value}`;
}
