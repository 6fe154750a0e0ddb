import { fieldError } from '../errors.ts';
import type { ApiRequest } from './endpoint.ts';
import { lastEventId } from './runEvents.ts';

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
 * Where a stream of events is to go on (HTML, section 9.2.4).
 * @returns undefined for a stream from the start.
 * @throws {AppError} invalid_request for an id that no event has.
 */
export function parseLastEventId(request: ApiRequest): number | typeof lastEventId | undefined {
  const id = request.headers.get('Last-Event-ID');
  if (id === null || id === '') return undefined;
  if (id === lastEventId) return id;
  if (!/^\d{1,9}$/.test(id))
    throw fieldError('Last-Event-ID', 'The Last-Event-ID header must be the id of an event.');
  return Number(id);
}
