import type { TableEntityResult } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { queryMs, roundTrip, type Table } from './tables.ts';

export interface PageRequest {
  readonly limit: number;
  /** The id that the page starts behind. */
  readonly after: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}

/**
 * The first rows that match a filter, in the order of their keys.
 * @param deadline of the request; each page of the store is a round trip of its own, and a filter that matches few of
 * many rows takes several.
 */
export async function queryPage<Row extends object, T>(
  table: Table,
  filter: string,
  limit: number,
  toItem: (row: TableEntityResult<Row>) => T,
  deadline?: Deadline,
): Promise<Page<T>> {
  const rows: TableEntityResult<Row>[] = [];
  let continuationToken: string | undefined;
  do {
    const page = await roundTrip(
      table,
      async (client, options) => {
        const pages = client
          .listEntities<Row>({ queryOptions: { filter }, ...options })
          .byPage({ maxPageSize: limit + 1, ...(continuationToken && { continuationToken }) });
        return (await pages.next()).value ?? [];
      },
      deadline,
      queryMs,
    );
    if (typeof page !== 'object') break;
    rows.push(...page);
    continuationToken = (page as { continuationToken?: string }).continuationToken;
  } while (continuationToken && rows.length <= limit);
  return { items: rows.slice(0, limit).map(toItem), hasMore: rows.length > limit };
}
