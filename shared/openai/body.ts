import type { ApiRequest } from '../http/endpoint.ts';
import type { Reader } from './readers.ts';
import { badRequest } from './wireError.ts';

/**
 * Reads a request's JSON body. An empty body counts as an empty object.
 * @param maxBytes of the body; 2 MiB by default.
 * @throws {WireError} for a body that is no JSON, or as the reader; {AppError} as {@link ApiRequest.text}.
 */
export async function readBody<T>(request: ApiRequest, read: Reader<T>, maxBytes?: number): Promise<T> {
  const text = await request.text(maxBytes);
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    // The parser's own message quotes the body, so it is dropped.
    throw badRequest('We could not parse the JSON body of your request.');
  }
  return read(body, '');
}
