import {
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { startProxyServer } from './proxyServer.ts';
import { createPager } from './storePager.ts';

/** A round trip to the store. */
export type RoundTrip = 'read' | 'query' | 'transaction' | 'merge' | 'upsert' | 'insert' | 'delete' | 'other';

/** Kind of a row of the table `threads`; `index` is a row of a project's index. */
export type RowKind = 'thread' | 'run' | 'key' | 'index' | 'other';

/**
 * Fault of a round trip: `lose` executes it and drops the response, `fail` responds with 500, `hang` never responds.
 * A late one is failed, hung or dropped, but executed after a delay in milliseconds.
 * `before` runs first.
 */
export type StoreFault =
  | 'lose'
  | 'fail'
  | 'hang'
  | { readonly lateMs: number; readonly response: 'fail' | 'hang' | 'drop' }
  | { readonly before: () => Promise<unknown> };

/** Round trips that a fault applies to: of a kind, optionally only those that touch a kind of row. */
export type FaultTarget = RoundTrip | { readonly kind: RoundTrip; readonly row: RowKind };

export interface StoreProxy {
  readonly port: number;
  /** All round trips since the last `reset`. */
  readonly roundTrips: RoundTrip[];
  /**
   * Number of rows that the store has scanned for reads and queries since the last `reset`. Infinite after a query
   * other than a key range in one partition, for which Azure would scan more rows than it returns.
   */
  rowsRead(): number;
  /** Clears round trips, faults and paging; late round trips are still executed. */
  reset(): void;
  /** As `reset`. From now on, neither counts nor faults round trips for projects that were seen so far. */
  leaveProjects(): void;
  /** Injects a fault into the next `times` round trips of that kind. */
  inject(target: FaultTarget, fault: StoreFault, times?: number): void;
  /** Pages queries as Azure may: pages may end at any row, or be empty with a continuation. */
  page(seed: number): void;
  /** Number of late round trips not yet executed. */
  pendingLate(): number;
  /** Refuses connections until `back`. */
  away(): Promise<void>;
  back(): Promise<void>;
  isUp(): boolean;
  close(): Promise<void>;
}

interface StoreResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Starts a proxy between the service and the store, so that tests can count round trips and inject faults. */
export async function startStoreProxy(storePort: number): Promise<StoreProxy> {
  const roundTrips: RoundTrip[] = [];
  const faults: { target: FaultTarget; fault: StoreFault }[] = [];
  const late = new Set<NodeJS.Timeout>();
  const seen = new Set<string>();
  const left = new Set<string>();
  let pager: ReturnType<typeof createPager> | undefined;
  let rowsRead = 0;

  const takeFault = (kind: RoundTrip, rows: ReadonlySet<RowKind>) => {
    const index = faults.findIndex(({ target }) =>
      typeof target === 'string' ? target === kind : target.kind === kind && rows.has(target.row),
    );
    return index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
  };

  const send = (request: IncomingMessage, path: string, body: Buffer) =>
    new Promise<StoreResponse>((resolve, reject) => {
      const { method, headers } = request;
      const upstream = forward({ port: storePort, host: '127.0.0.1', method, path, headers }, (response) => {
        buffer(response).then(
          (content) =>
            resolve({ status: response.statusCode ?? 502, headers: response.headers, body: content }),
          reject,
        );
      });
      upstream.on('error', reject);
      upstream.end(body);
    });

  const sendLate = (request: IncomingMessage, path: string, body: Buffer, ms: number) => {
    const timer = setTimeout(() => {
      void send(request, path, body)
        .catch(() => undefined)
        .finally(() => late.delete(timer));
    }, ms);
    late.add(timer);
  };

  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    const kind = toKind(request);
    const body = await buffer(request);
    const text = `${decodeURIComponent(path)}\n${body.toString()}`;
    const projects = toProjects(text);
    if (projects.length > 0 && projects.every((project) => left.has(project))) {
      const { status, headers, body: content } = await send(request, path, body);
      return void response.writeHead(status, headers).end(content);
    }
    for (const project of projects) seen.add(project);
    roundTrips.push(kind);
    const fault = takeFault(kind, toRowKinds(text));
    let outcome = typeof fault === 'string' ? fault : undefined;
    if (typeof fault === 'object' && 'before' in fault) await fault.before();
    if (typeof fault === 'object' && 'lateMs' in fault) {
      sendLate(request, path, body, fault.lateMs);
      if (fault.response === 'drop') return void request.socket.destroy();
      outcome = fault.response;
    }
    if (outcome === 'hang') return;
    if (outcome === 'fail') return void response.writeHead(500).end();
    const query = kind === 'query' ? pager?.(path) : undefined;
    if (query && 'headers' in query) return void response.writeHead(200, query.headers).end(query.body);
    const answered = await send(request, query?.path ?? path, body);
    if (answered.status === 200) rowsRead += countRows(kind, path, answered.body);
    if (outcome === 'lose') return void request.socket.destroy();
    response
      .writeHead(answered.status, query?.finish(answered.headers) ?? answered.headers)
      .end(answered.body);
  };

  const server = await startProxyServer(respond);
  const { port } = server;
  const reset = () => {
    roundTrips.length = 0;
    rowsRead = 0;
    faults.length = 0;
    pager = undefined;
  };
  return {
    port,
    roundTrips,
    rowsRead: () => rowsRead,
    reset,
    leaveProjects: () => {
      reset();
      for (const project of seen) left.add(project);
    },
    inject: (target, fault, times = 1) => {
      for (let time = 0; time < times; time++) faults.push({ target, fault });
    },
    page: (seed) => {
      pager = createPager(seed);
    },
    pendingLate: () => late.size,
    away: server.away,
    back: server.back,
    isUp: server.isUp,
    close: async () => {
      for (const timer of late) clearTimeout(timer);
      await server.close();
    },
  };
}

function toKind({ method, url = '', headers }: IncomingMessage): RoundTrip {
  if (url.includes('$batch')) return 'transaction';
  const one = /\(PartitionKey=/.test(url);
  if (method === 'GET') return one ? 'read' : 'query';
  // Only an upsert has no etag.
  if (one && method !== 'DELETE' && headers['if-match'] === undefined) return 'upsert';
  if (method === 'PATCH' || method === 'MERGE') return 'merge';
  if (method === 'POST') return 'insert';
  return method === 'DELETE' ? 'delete' : 'other';
}

const keyRange = /^PartitionKey eq '[^']*'( and RowKey (gt|ge|lt|le) '[^']*')*$/;

/** Returns the number of rows that the store has scanned for a successful round trip. */
function countRows(kind: RoundTrip, path: string, body: Buffer): number {
  if (kind === 'read') return 1;
  if (kind !== 'query') return 0;
  const { searchParams } = new URL(path, 'http://store');
  if (!keyRange.test(searchParams.get('$filter') ?? '')) return Number.POSITIVE_INFINITY;
  return JSON.parse(body.toString()).value.length;
}

/** Returns the projects of the partitions in a round trip. @param text its URL and body. */
function toProjects(text: string): string[] {
  const found = text.matchAll(/PartitionKey(?:=| eq |":\s*)['"]([^'":]+):/g);
  return [...found].map(([, project = '']) => project);
}

/** Returns the kinds of rows in a round trip: in its URL, its inserted row or its transaction. */
function toRowKinds(text: string): ReadonlySet<RowKind> {
  const inUrls = text.matchAll(/\(PartitionKey='([^']*)',\s*RowKey='([^']*)'\)/g);
  const inBodies = text.matchAll(/"PartitionKey":"([^"]*)","RowKey":"([^"]*)"/g);
  return new Set([...inUrls, ...inBodies].map(([, partition = '', row = '']) => toRowKind(partition, row)));
}

function toRowKind(partitionKey: string, rowKey: string): RowKind {
  if (partitionKey.endsWith(':threads')) return 'index';
  if (rowKey === 'thread') return 'thread';
  const [, kind] = /^(run|key)_/.exec(rowKey) ?? [];
  return kind === 'run' || kind === 'key' ? kind : 'other';
}
