import { AppError, type ErrorCode } from '../errors.ts';

/** What an error response of the Assistants API says. */
export interface WireErrorDetails {
  readonly message: string;
  /** Name of the parameter at fault, as the client spells it. */
  readonly param?: string;
  readonly code?: string;
  /** By default that of the error's code. */
  readonly status?: number;
}

/** An error that only this face knows, such as that of a parameter. */
export class WireError extends AppError {
  readonly details: WireErrorDetails;

  constructor(code: ErrorCode, details: WireErrorDetails) {
    super(code);
    this.details = details;
  }
}

/** Creates the error for an invalid request. */
export const badRequest = (message: string, param?: string, code?: string): WireError =>
  new WireError('invalid_request', { message, ...(param !== undefined && { param }), ...(code && { code }) });

/** Creates the error for a parameter that this service does not offer; `why` completes the sentence. */
export const notOffered = (param: string, why = 'is not supported'): WireError =>
  badRequest(`The parameter '${param}' ${why}.`, param, 'unsupported_parameter');

/** Creates the error for a parameter that takes an editor of the project. */
export const editorsOnly = (param: string): WireError =>
  new WireError('editor_required', {
    message: `Only an editor of the project may set '${param}' to another value than the assistant's.`,
    param,
  });
