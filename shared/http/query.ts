import { fieldError } from '../errors.ts';
import type { MetadataPair } from '../model/metadata.ts';
import type { RunStatus } from '../model/run.ts';
import type { ApiRequest } from './endpoint.ts';

const maxWaitSeconds = 60;

/** How long a client wants to wait for a change of status. */
export interface Wait {
  /** 0 to 60; 0 for an immediate response. */
  readonly seconds: number;
  /** Whether the `Prefer` header requested it; the response then confirms with `Preference-Applied`. */
  readonly preferred: boolean;
}

/**
 * Reads `?wait=` or the header `Prefer: wait=` (RFC 7240, section 4.3); 0 s by default.
 * @throws {AppError} invalid_request for anything but whole seconds from 0 to 60.
 */
export function parseWaitSeconds(request: ApiRequest): Wait {
  const requested = request.query.get('wait');
  const preference = /(?:^|,)\s*wait\s*=\s*"?([^\s",;]*)/i.exec(request.headers.get('Prefer') ?? '')?.[1];
  const value = requested ?? preference ?? '0';
  const seconds = Number(value);
  if (!/^\d{1,2}$/.test(value) || seconds > maxWaitSeconds) {
    throw fieldError('Wait', 'The field Wait must be a whole number of seconds from 0 to 60.');
  }
  return { seconds, preferred: requested === null && seconds > 0 };
}

/** Reads `?limit=`, 50 by default. @throws {AppError} invalid_request for anything but a whole number from 1 to 100. */
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
  'requires_action',
  'completed',
  'failed',
  'expired',
  'cancelled',
] satisfies RunStatus[];

/** Reads `?status=`. @throws {AppError} invalid_request for an unknown status. */
export function parseStatus(request: ApiRequest): RunStatus | undefined {
  const status = request.query.get('status') ?? undefined;
  if (status !== undefined && !statuses.includes(status)) {
    throw fieldError('Status', `The field Status must be one of ${statuses.join(', ')}.`);
  }
  return status as RunStatus | undefined;
}

/**
 * Reads `?metadata[key]=value`, the pair that the items of a list must have.
 * @throws {AppError} invalid_request for more than one pair, or one that no metadata can have.
 */
export function parseMetadataPair(request: ApiRequest): MetadataPair | undefined {
  const pairs = [...request.query].filter(([name]) => /^metadata(\[|$)/.test(name));
  const [name = '', value = ''] = pairs[0] ?? [];
  if (pairs.length === 0) return undefined;
  const key = /^metadata\[(.+)\]$/s.exec(name)?.[1];
  if (pairs.length > 1 || key === undefined || lengthOf(key) > 64 || lengthOf(value) > 512) {
    throw fieldError('Metadata', 'The field Metadata must be one pair: metadata[key]=value.');
  }
  return { key, value };
}

/** Counts characters, not UTF-16 units, as JSON Schema does. */
const lengthOf = (text: string): number => [...text].length;

/** Reads `?order=`, ascending by default. @throws {AppError} invalid_request for anything but `asc` or `desc`. */
export function parseOrder(request: ApiRequest): 'asc' | 'desc' {
  const order = request.query.get('order') ?? 'asc';
  if (order !== 'asc' && order !== 'desc') throw fieldError('Order', 'The field Order must be asc or desc.');
  return order;
}

/**
 * Reads `?after=`, the id after which a page starts.
 * @throws {AppError} invalid_request for a malformed id.
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
