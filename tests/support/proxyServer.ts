import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A local server that can disappear and come back at the same address. */
export interface ProxyServer {
  readonly port: number;
  /** Whether it accepts connections. */
  isUp(): boolean;
  /** Stops listening and cuts all connections, also those that wait for a response. */
  away(): Promise<void>;
  back(): Promise<void>;
  /** Stops for good; does nothing while it is away. */
  close(): Promise<void>;
}

/** Starts a server on any free port. @param respond a failure of it cuts the connection. */
export async function startProxyServer(
  respond: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<ProxyServer> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  server.on('connection', (socket) => {
    // A server that outlives a test file must not keep Jest's worker alive.
    sockets.add(socket.unref());
    socket.once('close', () => sockets.delete(socket));
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.unref().listen(port, '127.0.0.1', resolve));
  const away = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    isUp: () => server.listening,
    away,
    back: () => listen(port),
    close: async () => {
      if (server.listening) await away();
    },
  };
}
