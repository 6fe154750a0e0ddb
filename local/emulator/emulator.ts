import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createCallLog } from './calls.ts';
import type { Controlled } from './control.ts';
import { createEngine } from './engine.ts';
import { createFaults } from './faults.ts';
import { send, toErrorReply } from './http.ts';
import { cancel } from './lifecycle.ts';
import { serveApi, serveControl } from './serve.ts';

export interface EmulatorOptions {
  /** Port on 127.0.0.1; 0, the default, for any free one. */
  port?: number;
  /** How long a background response stays queued, 300 by default. */
  queueMs?: number;
  /** How long a response is in progress, 1200 by default; its text is streamed over that time. */
  runMs?: number;
  /** Folder in which conversations and responses survive a restart; without it all is in memory. */
  dataDir?: string;
  /** Folder of the Markdown files that `file_search` finds; the demo's by default. */
  documentsDir?: string;
  /** The only key accepted; without it any is. */
  apiKey?: string;
}

export interface Emulator {
  /** What goes into `OPENAI_BASE_URL`: ends in `/v1`. */
  url: string;
  port: number;
  /** Ends all connections, also those that are never answered. */
  close(): Promise<void>;
}

// Longer than clients keep an idle connection, so that none is reused in the moment it is closed.
const keepAliveTimeoutMs = 120_000;

const defaultTiming = { visibleAfterMs: 0, unlockAfterCancelMs: 0, completeAfterCancelMs: null };

/** Starts a server that behaves as OpenAI's Conversations and Responses API. Resolves when it listens. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, queueMs = 300, runMs = 1200, dataDir, apiKey } = options;
  const documentsDir = options.documentsDir ?? fileURLToPath(new URL('../demo/documents', import.meta.url));
  const engine = createEngine({ ...defaultTiming, queueMs, runMs }, dataDir, documentsDir);
  for (const record of engine.responses.values()) {
    // Its client went with the former process.
    if (!record.request.background) cancel(engine, record);
  }
  const controlled: Controlled = { engine, faults: createFaults(), calls: createCallLog(), apiKey };
  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) => {
    const serve = request.url?.startsWith('/control/') ? serveControl : serveApi;
    serve(controlled, request, response).catch((error) => send(response, toErrorReply(error)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  const address = server.address() as AddressInfo;
  const close = () => {
    // It is the server that leaves its clients here.
    engine.behaviour = { ...engine.behaviour, strandDropped: false };
    return new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  return { url: `http://127.0.0.1:${address.port}/v1`, port: address.port, close };
}
