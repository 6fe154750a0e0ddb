import type { IncomingHttpHeaders } from 'node:http';
import { createRandom } from './random.ts';

/** A query as it goes on to the store, and what its response's headers become. */
interface Forwarded {
  readonly path: string;
  finish(headers: IncomingHttpHeaders): IncomingHttpHeaders;
}

/** A response that the pager gives itself: no row, and a continuation. */
interface EmptyPage {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const names = ['NextPartitionKey', 'NextRowKey'] as const;
const headerOf = (name: string) => `x-ms-continuation-${name}`.toLowerCase();

/**
 * Pages queries as Azure Table Storage may and Azurite never does: a page ends at any row, an empty page has a
 * continuation, and so has one behind which nothing follows (Azure, "Query timeout and pagination").
 * @param seed makes the same choices again.
 */
export function createPager(seed: number): (path: string) => Forwarded | EmptyPage {
  const random = createRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  /** Continuations of our own, with the query parameters that they stand for; null where nothing follows. */
  const own = new Map<string, ReadonlyMap<string, string> | null>();

  const mint = (meaning: ReadonlyMap<string, string> | null): Record<string, string> => {
    const token = `pager-${own.size}`;
    own.set(token, meaning);
    return Object.fromEntries(names.map((name) => [headerOf(name), token]));
  };
  const emptyPage = (headers: Record<string, string>): EmptyPage => ({
    headers: { 'content-type': 'application/json', ...headers },
    body: '{"value":[]}',
  });

  return (path) => {
    const url = new URL(path, 'http://store');
    const token = url.searchParams.get('NextPartitionKey') ?? '';
    const meaning = own.get(token);
    if (meaning === null) return emptyPage({});
    const position = meaning ?? positionOf(url);
    if (pick(4) === 0) return emptyPage(mint(position));
    for (const name of names) url.searchParams.delete(name);
    for (const [name, value] of position) url.searchParams.set(name, value);
    const top = Number(url.searchParams.get('$top') ?? 1_000);
    url.searchParams.set('$top', String(1 + pick(Math.min(top, 10))));
    // Azurite reads `+` as it stands.
    const query = url.searchParams.toString().replaceAll('+', '%20');
    return {
      path: `${url.pathname}?${query}`,
      finish: (headers) =>
        headers[headerOf('NextPartitionKey')] === undefined && pick(2) === 0
          ? { ...headers, ...mint(null) }
          : headers,
    };
  };
}

const positionOf = ({ searchParams }: URL): ReadonlyMap<string, string> =>
  new Map(
    names.flatMap((name) => {
      const value = searchParams.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
  );
