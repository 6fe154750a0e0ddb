import { HttpRequest } from '@azure/functions';
import { AppError } from '../../shared/errors.ts';

/** Creates a request for a handler. */
export const createRequest = ({
  body,
  headers = {},
  query = '',
}: {
  body?: string | Uint8Array;
  headers?: Record<string, string>;
  query?: string;
} = {}): HttpRequest =>
  new HttpRequest({
    method: 'POST',
    url: `http://localhost/api${query}`,
    headers,
    ...(body !== undefined && { body: typeof body === 'string' ? { string: body } : { bytes: body } }),
  });

/** Returns the fields that a parser reports as invalid. Fails the test if the parser throws anything else. */
export async function fieldErrors(parse: () => unknown): Promise<unknown> {
  try {
    await parse();
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid_request') return error.options.fieldErrors;
    throw error;
  }
  return 'valid';
}
