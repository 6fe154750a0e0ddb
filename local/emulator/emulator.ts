import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createCallLog } from './calls.ts';
import type { Controlled } from './control.ts';
import { createEngine } from './engine.ts';
import { createFaults } from './faults.ts';
import { send, toErrorResult } from './http.ts';
import { cancel } from './lifecycle.ts';
import { serveApi, serveControl } from './serve.ts';

export interface EmulatorOptions {
  /** Port on 127.0.0.1; 0, the default, selects a free one. */
  port?: number;
  /** How long a background response stays queued, in milliseconds; 300 by default. */
  queueMs?: number;
  /** How long a response is in progress and streams its text, in milliseconds; 1200 by default. */
  runMs?: number;
  /** How long a file of a vector store is indexed, in milliseconds; 1000 by default. */
  indexMs?: number;
  /** Folder that stores all records; in memory by default. */
  dataDir?: string;
  /** Folder of the documents for `file_search`, see `openFolderStores`; the demo's by default. */
  documentsDir?: string;
  /** The only accepted API key; any by default. */
  apiKey?: string;
}

export interface Emulator {
  /** Value for `OPENAI_BASE_URL`, ending in `/v1`. */
  url: string;
  port: number;
  /** Closes all connections, including those without a response. */
  close(): Promise<void>;
}

// Longer than clients keep idle connections, so that a client never reuses one that is being closed.
const keepAliveTimeoutMs = 120_000;

const defaultTiming = { visibleAfterMs: 0, unlockAfterCancelMs: 0, completeAfterCancelMs: null };

/** Starts a server that emulates OpenAI's API: conversations, responses, files and vector stores. Resolves when it is listening. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, queueMs = 300, runMs = 1200, indexMs = 1000, dataDir, apiKey } = options;
  const documentsDir = options.documentsDir ?? fileURLToPath(new URL('../demo/documents', import.meta.url));
  const engine = createEngine({ ...defaultTiming, queueMs, runMs, indexMs }, dataDir, documentsDir);
  for (const record of engine.responses.values()) {
    // Its client was disconnected when the previous process ended.
    if (!record.request.background) cancel(engine, record);
  }
  const controlled: Controlled = {
    ...{ engine, faults: createFaults(), calls: createCallLog(), apiKey },
    cleared: new Set(),
  };
  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) => {
    const serve = request.url?.startsWith('/control/') ? serveControl : serveApi;
    serve(controlled, request, response).catch((error) => send(response, toErrorResult(error)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  const address = server.address() as AddressInfo;
  const close = () => {
    // The server disconnects its clients here, not the other way round.
    engine.behaviour = { ...engine.behaviour, strandDropped: false };
    return new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  return { url: `http://127.0.0.1:${address.port}/v1`, port: address.port, close };
}
