import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadApp } from './app.ts';
import { invoke } from './invoke.ts';
import { listenToQueue } from './queues.ts';

export interface Host {
  readonly url: string;
  /** Stops accepting and polling, and resolves when requests and messages in flight are done. */
  close(): Promise<void>;
}

/**
 * Serves a built Functions app, its HTTP and queue triggers, without the Functions runtime.
 * @param port 0 for any free one.
 */
export async function startHost({ folder, port }: { folder: string; port: number }): Promise<Host> {
  const app = await loadApp(folder);
  let closing = false;
  const server = createServer((request, response) => {
    // A client that keeps its connection would keep a server that is asked to end.
    response.once('close', () => closing && setImmediate(() => server.closeIdleConnections()));
    void invoke(app, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const listeners = app.queueFunctions.map((queued) => listenToQueue(queued, app.queueOptions));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      closing = true;
      const served = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.all([served, ...listeners.map((listener) => listener.close())]);
    },
  };
}
