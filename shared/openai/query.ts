import { hasCode } from '../errors.ts';
import type { ApiRequest } from '../http/endpoint.ts';
import { badRequest, notOffered } from './wireError.ts';

/** Parameters of a list. */
export interface ListRequest {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly after: string | undefined;
  readonly before: string | undefined;
}

const listParameters = ['limit', 'order', 'after', 'before'];

/** The query parameter that `AzureOpenAI` sends. Every version is served alike. */
const apiVersion = 'api-version';

/**
 * Reads the parameters of a list: newest first by default.
 * @param others further parameters of the route.
 * @param limits number of items by default and at most.
 * @throws {WireError} 400 for a malformed or unknown one.
 */
export function parseList(
  { query }: ApiRequest,
  others: readonly string[] = [],
  { fallback, max } = { fallback: 20, max: 100 },
): ListRequest {
  rejectUnknown(query, [...listParameters, ...others]);
  const limit = query.get('limit') ?? String(fallback);
  if (!/^\d{1,5}$/.test(limit) || Number(limit) < 1 || Number(limit) > max) {
    throw badRequest(`Invalid 'limit': expected an integer from 1 to ${max}.`, 'limit', 'invalid_value');
  }
  const order = query.get('order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') {
    throw badRequest(
      "Invalid value for 'order'. Supported values are: 'asc', 'desc'.",
      'order',
      'invalid_value',
    );
  }
  const after = query.get('after') ?? undefined;
  const before = query.get('before') ?? undefined;
  if (after !== undefined && before !== undefined) throw notOffered('before', "cannot be used with 'after'");
  return { limit: Number(limit), order, after, before };
}

/** @throws {WireError} 400 for a query parameter that the route does not have. */
export function rejectUnknown(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (name === apiVersion || known.includes(name.replace(/\[\d*\]$/, ''))) continue;
    const unknown = name.slice(0, 64);
    throw badRequest(`Unknown parameter: '${unknown}'.`, unknown, 'unknown_parameter');
  }
}

/** A list as the Assistants API sends it. */
export const toList = <T extends { readonly id: string }>(data: readonly T[], hasMore: boolean) => ({
  object: 'list' as const,
  data,
  first_id: data[0]?.id ?? null,
  last_id: data.at(-1)?.id ?? null,
  has_more: hasMore,
});

/** A list that has one page only, without cursors. */
export const onlyPage = <T>(data: readonly T[]) => ({ data, has_more: false, next_page: null });

/**
 * Returns a page of items that are all known.
 * @param newestFirst all items.
 * @throws {WireError} 400 for a cursor that is no item's id.
 */
export function pageOf<T>(newestFirst: readonly T[], page: ListRequest, idOf: (item: T) => string) {
  const ordered = page.order === 'desc' ? newestFirst : newestFirst.toReversed();
  const position = (name: 'after' | 'before') => {
    const cursor = page[name];
    const index = ordered.findIndex((item) => idOf(item) === cursor);
    if (cursor !== undefined && index === -1) throw unknownCursor(name);
    return index;
  };
  if (page.before !== undefined) {
    const end = position('before');
    const start = Math.max(0, end - page.limit);
    return { items: ordered.slice(start, end), hasMore: start > 0 };
  }
  const start = page.after === undefined ? 0 : position('after') + 1;
  const end = start + page.limit;
  return { items: ordered.slice(start, end), hasMore: end < ordered.length };
}

/** Names the cursor in an error of a list whose other parameters have been checked. */
export const failCursor =
  ({ after, before }: ListRequest) =>
  (error: unknown): never => {
    const isCursor = hasCode(error, 'invalid_request');
    if (isCursor && before !== undefined) throw unknownCursor('before');
    throw isCursor && after !== undefined ? unknownCursor('after') : error;
  };

/** Creates the error for a cursor that is not in the list. */
export const unknownCursor = (name: 'after' | 'before') =>
  badRequest(`Invalid '${name}': no such item in the list.`, name, 'invalid_value');
