import type { RunStatus } from '../runs/run.ts';
import type { ApiRequest } from './endpoint.ts';
import { fieldError } from './errors.ts';
import { type EventPosition, lastEventId, parseEventId } from './runEvents.ts';

const maxWaitSeconds = 60;

/**
 * How long the client wants to wait for news: `?wait=` or the header `Prefer: wait=` (RFC 7240, section 4.3).
 * @returns undefined when it asks for none.
 * @throws {AppError} invalid_request for anything but whole seconds from 0 to 60.
 */
export function parseWaitSeconds(request: ApiRequest): number | undefined {
  const preferred = /(?:^|,)\s*wait\s*=\s*"?([^\s",;]*)/i.exec(request.headers.get('Prefer') ?? '')?.[1];
  const value = request.query.get('wait') ?? preferred;
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (!/^\d{1,2}$/.test(value) || seconds > maxWaitSeconds) {
    throw fieldError('Wait', 'The field Wait must be a whole number of seconds from 0 to 60.');
  }
  return seconds;
}

/** @throws {AppError} invalid_request for a `limit` that is not a whole number from 1 to 100. */
export function parseLimit(request: ApiRequest): number {
  const value = request.query.get('limit') ?? '50';
  const limit = Number(value);
  if (!/^\d{1,3}$/.test(value) || limit < 1 || limit > 100) {
    throw fieldError('Limit', 'The field Limit must be a whole number from 1 to 100.');
  }
  return limit;
}

const statuses: readonly string[] = [
  'queued',
  'in_progress',
  'completed',
  'failed',
  'expired',
  'cancelled',
] satisfies RunStatus[];

/** @throws {AppError} invalid_request for a `status` that no run can have. */
export function parseStatus(request: ApiRequest): RunStatus | undefined {
  const status = request.query.get('status') ?? undefined;
  if (status !== undefined && !statuses.includes(status)) {
    throw fieldError('Status', `The field Status must be one of ${statuses.join(', ')}.`);
  }
  return status as RunStatus | undefined;
}

/**
 * The id that a page starts behind.
 * @throws {AppError} invalid_request for an `after` that cannot be such an id.
 */
export function parseAfter(
  request: ApiRequest,
  isId: (value: string | undefined) => value is string,
): string | undefined {
  const after = request.query.get('after') ?? undefined;
  if (after !== undefined && !isId(after))
    throw fieldError('After', 'The field After must be an id of the list.');
  return after;
}

/**
 * Where a stream of events is to go on (HTML, section 9.2.4).
 * @returns undefined for a stream from the start.
 * @throws {AppError} invalid_request for an id that no event has.
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
