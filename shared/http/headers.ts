import { fieldError } from '../errors.ts';
import type { ApiRequest } from './endpoint.ts';
import { type EventPosition, lastEventId, parseEventId } from './runEvents.ts';

/**
 * Reads `Idempotency-Key`.
 * @returns undefined without the header.
 * @throws {AppError} invalid_request when it is not 1 to 255 visible characters.
 */
export function parseIdempotencyKey(request: ApiRequest): string | undefined {
  const key = request.headers.get('Idempotency-Key');
  if (key === null) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw fieldError(
      'Idempotency-Key',
      'The Idempotency-Key header must be 1 to 255 visible ASCII characters.',
    );
  }
  return key;
}

/**
 * Reads `Last-Event-ID` (HTML, section 9.2.4).
 * @returns undefined to stream from the start.
 * @throws {AppError} invalid_request for a malformed id.
 */
export function parseLastEventId(request: ApiRequest): EventPosition | typeof lastEventId | undefined {
  const id = request.headers.get('Last-Event-ID');
  if (id === null || id === '') return undefined;
  if (id === lastEventId) return id;
  const position = parseEventId(id);
  if (!position) {
    throw fieldError('Last-Event-ID', 'The Last-Event-ID header must be the id of an event.');
  }
  return position;
}
