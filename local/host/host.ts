import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { allowEveryOrigin } from './cors.ts';
import { serve } from './http.ts';
import { listenToQueue } from './queues.ts';
import { logMalformed } from './unserved.ts';
import { startWorkers } from './workers.ts';

export interface HostOptions {
  /** The app's folder, with package.json and host.json. */
  readonly folder: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** Whether to allow every origin, as Core Tools does with `"CORS": "*"`. */
  readonly everyOrigin?: boolean;
  /** Maximum size of a request body, in bytes; 100 MiB by default, as in the real host. */
  readonly maxBodyBytes?: number;
  /** Maximum size of request headers in the worker, in bytes; 64 KiB by default. */
  readonly workerMaxHeaderBytes?: number;
  /** Whether to keep a client's `x-ms-invocation-id`, as old hosts did. */
  readonly keepsInvocationId?: boolean;
  /** Whether to end JSON for curl with a line break, which the real host does not. */
  readonly endsWithNewline?: boolean;
  /** Gets each request first. Resolves with whether it has responded; it may instead change the request's URL. */
  readonly interceptor?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
}

export interface Host {
  readonly url: string;
  readonly functions: readonly ListedFunction[];
  /** Makes the app read its settings again, in a worker of its own. Requests in progress are not interrupted. */
  restartApp(): Promise<void>;
  /** Stops accepting and polling. Resolves when requests and messages in flight are done. */
  close(): Promise<void>;
}

/** A function as Core Tools lists it. */
export interface ListedFunction {
  readonly name: string;
  /** Methods and URL, or the type of another trigger. */
  readonly trigger: string;
}

/** Response body of `GET /admin/host/status`. */
export interface HostStatus {
  readonly state: 'Running';
  readonly openInvocations: number;
  /** Greater than one after the worker crashed or timed out. */
  readonly workerStarts: number;
}

const statusPath = '/admin/host/status';

/** Kestrel's limits. */
const maxHeaderBytes = 32 * 1024;
const headersTimeoutMs = 30_000;

/** Serves the HTTP and queue triggers of a built Functions app, without the Functions runtime. */
export async function startHost(options: HostOptions): Promise<Host> {
  const workers = await startWorkers({
    folder: options.folder,
    functionTimeoutMs: await readFunctionTimeout(options.folder),
    maxHeaderBytes: options.workerMaxHeaderBytes ?? 64 * 1024,
  });
  const httpOptions = {
    maxBodyBytes: options.maxBodyBytes ?? 100 * 1024 * 1024,
    keepsInvocationId: options.keepsInvocationId ?? false,
    endsWithNewline: options.endsWithNewline ?? false,
  };
  let closing = false;
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    // An idle keep-alive connection would keep a closing server open.
    response.once('close', () => closing && setImmediate(() => server.closeIdleConnections()));
    if (request.url === statusPath) {
      const { openInvocations, starts: workerStarts } = workers;
      const status: HostStatus = { state: 'Running', openInvocations, workerStarts };
      return void response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(status));
    }
    if (await options.interceptor?.(request, response)) return;
    if (options.everyOrigin && allowEveryOrigin(request, response)) return;
    await serve(workers.serving(response), httpOptions, request, response);
  };
  const server = createServer(
    { maxHeaderSize: maxHeaderBytes, headersTimeout: headersTimeoutMs },
    (request, response) => {
      respond(request, response).catch(() => response.destroy());
    },
  );
  server.on('clientError', rejectMalformed);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  }).catch(async (error) => {
    await workers.close();
    throw error;
  });
  const { routes, queueFunctions, queueOptions } = await workers.ready();
  const listeners = queueFunctions.map((queued) => listenToQueue(workers, queued, queueOptions));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = routes.map(({ functionName: name, methods, path }) => {
    return { name, trigger: `[${[...methods].join(',')}] ${url}${path}` };
  });
  return {
    url,
    functions: [
      ...http,
      ...queueFunctions.map(({ functionName: name }) => ({ name, trigger: 'queueTrigger' })),
    ],
    restartApp: () => workers.replace(),
    close: async () => {
      closing = true;
      const served = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.all([served, ...listeners.map((listener) => listener.close())]);
      await workers.close();
    },
  };
}

/** Responds to malformed HTTP as the real host (500 for a malformed chunked body), and closes the connection. */
function rejectMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const statusLines: Record<string, string> = {
    HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
    ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
    HPE_INVALID_CHUNK_SIZE: '500 Internal Server Error',
    HPE_CHUNK_EXTENSIONS_OVERFLOW: '500 Internal Server Error',
    HPE_STRICT: '500 Internal Server Error',
  };
  const status = statusLines[error.code ?? ''] ?? '400 Bad Request';
  logMalformed(Number.parseInt(status, 10), error.code);
  socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}

/** Reads `functionTimeout` of host.json, in milliseconds; 30 minutes by default, as on Flex Consumption. */
async function readFunctionTimeout(folder: string): Promise<number> {
  const { functionTimeout = '00:30:00' } = JSON.parse(await readFile(join(folder, 'host.json'), 'utf8'));
  const [hours = 0, minutes = 0, seconds = 0] = functionTimeout.split(':').map(Number);
  return (hours * 3600 + minutes * 60 + seconds) * 1000;
}
