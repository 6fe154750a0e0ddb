import type { TableEntityResult } from '@azure/data-tables';
import type { Deadline } from '../deadline.ts';
import { queryMs, roundTrip, type Table } from './tables.ts';

export interface Rows<Row extends object> {
  readonly rows: readonly TableEntityResult<Row>[];
  readonly hasMore: boolean;
}

/**
 * The first rows that match a filter, in the order of their keys. Filter by keys only: the store works its way through
 * all rows between them.
 * @param limit up to 999: one row more is asked for.
 * @param deadline of the request; the store may end a page of its own early, and each is a round trip.
 * @param select the columns to fetch; all of them by default.
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
