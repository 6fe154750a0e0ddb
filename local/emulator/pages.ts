import { badRequest } from './errors.ts';
import { parseNumber } from './validation.ts';

export interface Page<T> {
  object: 'list';
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

interface Limits {
  fallback: number;
  max: number;
}

/**
 * Returns a page according to `after` or `before`, `limit` and `order`; newest first by default.
 * @param all oldest first.
 * @throws {ApiError} 400 for a limit out of range, an unknown order, or a cursor that is not in the list.
 */
export function pageOf<T extends { id?: string }>(
  all: readonly T[],
  query: URLSearchParams,
  limits: Limits = { fallback: 20, max: 100 },
): Page<T> {
  const limit = parseLimit(query.get('limit'), limits);
  const isAscending = parseOrder(query.get('order')) === 'asc';
  const before = query.get('before');
  if (before !== null) return pageBefore(all, positionOf(all, 'before', before), limit, isAscending);
  const after = query.get('after');
  const position = after === null ? -1 : positionOf(all, 'after', after);
  // Copy only the page: a conversation may have thousands of items.
  const end = after === null ? all.length : position;
  const start = isAscending ? position + 1 : Math.max(0, end - limit);
  const data = isAscending ? all.slice(start, start + limit) : all.slice(start, end).reverse();
  return toList(data, isAscending ? start + limit < all.length : start > 0);
}

function positionOf(all: readonly { id?: string }[], name: string, cursor: string): number {
  const position = all.findLastIndex((one) => one.id === cursor);
  if (position === -1) throw badRequest(`Invalid '${name}': no item with id '${cursor}'.`, name);
  return position;
}

function pageBefore<T extends { id?: string }>(
  all: readonly T[],
  position: number,
  limit: number,
  isAscending: boolean,
): Page<T> {
  if (!isAscending)
    return toList(all.slice(position + 1, position + 1 + limit).reverse(), position + 1 + limit < all.length);
  const start = Math.max(0, position - limit);
  return toList(all.slice(start, position), start > 0);
}

export function toList<T extends { id?: string }>(data: T[], hasMore = false): Page<T> {
  const first_id = data[0]?.id ?? null;
  return { object: 'list', data, first_id, last_id: data.at(-1)?.id ?? null, has_more: hasMore };
}

function parseLimit(text: string | null, { fallback, max }: Limits): number {
  if (text === null) return fallback;
  const limit = /^-?\d+$/.test(text) ? Number(text) : text;
  return parseNumber({ limit }, 'limit', { min: 1, max, integer: true }) ?? fallback;
}

function parseOrder(text: string | null): string {
  if (text === null || text === 'asc' || text === 'desc') return text ?? 'desc';
  const message = `Invalid value: '${text}'. Supported values are: 'asc' and 'desc'.`;
  throw badRequest(message, 'order', 'invalid_value');
}
