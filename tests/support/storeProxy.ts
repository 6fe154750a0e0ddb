import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** One round trip to the store, as the store sees it. */
export type RoundTrip = 'read' | 'query' | 'transaction' | 'merge' | 'insert' | 'delete' | 'other';

/** What befalls a round trip: `lose` carries it out and drops the answer, `fail` answers 500, `hang` never answers. */
export type StoreFault = 'lose' | 'fail' | 'hang';

export interface StoreProxy {
  readonly port: number;
  /** All round trips since the last `reset`. */
  readonly roundTrips: RoundTrip[];
  reset(): void;
  /** The next `times` round trips of that kind meet the fault. */
  inject(kind: RoundTrip, fault: StoreFault, times?: number): void;
  /** Refuses connections until `back`. */
  away(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

/** Stands between the service and the store, so that a test can count round trips and take the store away. */
export async function startStoreProxy(storePort: number): Promise<StoreProxy> {
  const roundTrips: RoundTrip[] = [];
  const faults: { kind: RoundTrip; fault: StoreFault }[] = [];
  const sockets = new Set<Socket>();

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const kind = toKind(request);
    roundTrips.push(kind);
    const index = faults.findIndex((entry) => entry.kind === kind);
    const fault = index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
    const body = await buffer(request);
    if (fault === 'hang') return;
    if (fault === 'fail') return void response.writeHead(500).end();
    const upstream = forward(
      {
        port: storePort,
        host: '127.0.0.1',
        method: request.method,
        path: request.url,
        headers: request.headers,
      },
      async (answered) => {
        const content = await buffer(answered);
        if (fault === 'lose') return void request.socket.destroy();
        response.writeHead(answered.statusCode ?? 502, answered.headers).end(content);
      },
    );
    upstream.on('error', () => response.destroy());
    upstream.end(body);
  };
  const server = createServer((request, response) => void answer(request, response));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    roundTrips,
    reset: () => {
      roundTrips.length = 0;
      faults.length = 0;
    },
    inject: (kind, fault, times = 1) => {
      for (let time = 0; time < times; time++) faults.push({ kind, fault });
    },
    away: close,
    back: () => listen(port),
    close: async () => {
      if (server.listening) await close();
    },
  };
}

function toKind({ method, url = '' }: IncomingMessage): RoundTrip {
  if (url.includes('$batch')) return 'transaction';
  const one = /\(PartitionKey=/.test(url);
  if (method === 'GET') return one ? 'read' : 'query';
  if (method === 'PATCH' || method === 'MERGE') return 'merge';
  if (method === 'POST') return 'insert';
  return method === 'DELETE' ? 'delete' : 'other';
}
