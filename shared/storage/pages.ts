import type { TableEntityResult } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { queryMs, roundTrip, type Table } from './tables.ts';

/** Result of {@link queryRows}. */
export interface Rows<Row extends object> {
  readonly rows: readonly TableEntityResult<Row>[];
  readonly hasMore: boolean;
}

/**
 * Returns the first rows that match a filter, in key order. Filter by keys only: the store scans all rows in their range.
 * @param limit at most 999, because one extra row is requested.
 * @param deadline of the request. The store may return partial pages, so a query may take several round trips.
 * @param select columns to fetch; all by default.
 */
export async function queryRows<Row extends object>(
  table: Table,
  filter: string,
  limit: number,
  deadline?: Deadline,
  select?: string[],
): Promise<Rows<Row>> {
  const rows: TableEntityResult<Row>[] = [];
  const queryOptions = { filter, ...(select && { select }) };
  let continuationToken: string | undefined;
  do {
    const maxPageSize = limit + 1 - rows.length;
    const page = await roundTrip(
      table,
      async (client, options) => {
        const pages = client
          .listEntities<Row>({ queryOptions, ...options })
          .byPage({ maxPageSize, ...(continuationToken && { continuationToken }) });
        return (await pages.next()).value ?? [];
      },
      deadline,
      queryMs,
    );
    if (typeof page !== 'object') break;
    rows.push(...page);
    continuationToken = (page as { continuationToken?: string }).continuationToken;
  } while (continuationToken && rows.length <= limit);
  return { rows: rows.slice(0, limit), hasMore: rows.length > limit };
}
