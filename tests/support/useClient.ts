import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import { type Client, type ClientOptions, createClient } from '../../client/src/index.ts';
import { type ProxyServer, startProxyServer } from './proxyServer.ts';
import type { ServiceUnderTest } from './useService.ts';

/** A request that the proxy has received. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Below the project, such as `threads/thread_1/runs?limit=2`. */
  readonly path: string;
  /** Sends the request to the service. */
  forward(): Promise<Response>;
  /** Sends the request to the service and passes its response on as it arrives. */
  pass(): Promise<void>;
  /** Responds in place of the service. */
  refuse(status: number, headers?: Record<string, string>, body?: string): void;
  /** Cuts the connection. */
  cut(): void;
}

export interface ClientUnderTest {
  /** Base URL of the service behind the proxy. */
  readonly baseUrl: string;
  /** Requests since the start of the test: `POST threads`. */
  readonly requests: string[];
  /** Headers of those requests. */
  readonly headers: IncomingMessage['headers'][];
  /** Handles the next requests, each function one; then requests pass. */
  next(...handlers: ((exchange: Exchange) => unknown)[]): void;
  /** Handles all further requests, except those that `next` handles. */
  all(handler: (exchange: Exchange) => unknown): void;
  /** Makes the service disappear until `back`. */
  readonly server: ProxyServer;
  /** Creates a client of the test's project that does not pause for long. */
  connect(options?: Partial<ClientOptions>): Promise<Client>;
}

/** Gives the tests of a file clients that reach the service through a proxy, in which they inject faults. */
export function useClient(t: ServiceUnderTest): ClientUnderTest {
  let server: ProxyServer;
  let queued: ((exchange: Exchange) => unknown)[] = [];
  let handler: (exchange: Exchange) => unknown = ({ pass }) => pass();
  const c: ClientUnderTest = {
    get baseUrl() {
      return `http://127.0.0.1:${server.port}/api`;
    },
    get server() {
      return server;
    },
    requests: [],
    headers: [],
    next: (...handlers) => void queued.push(...handlers),
    all(given) {
      handler = given;
    },
    async connect({ timing, ...options } = {}) {
      return createClient({
        baseUrl: c.baseUrl,
        projectId: t.projectId,
        token: await t.issuer.sign({ projects: [t.projectId] }),
        ...options,
        timing: { retryMs: 1, pollMs: 10, ...timing },
      });
    },
  };
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const { url = '', method = '' } = request;
    const path = url.split('/').slice(4).join('/');
    c.requests.push(`${method} ${path}`);
    c.headers.push(request.headers);
    const body = await buffer(request);
    const leave = new AbortController();
    response.on('close', () => leave.abort());
    const forward = () => {
      const kept = Object.entries(request.headers).filter(
        ([name]) => !['host', 'connection', 'content-length', 'transfer-encoding'].includes(name),
      );
      return fetch(`${t.url}${url}`, {
        method,
        headers: kept as [string, string][],
        ...(body.length > 0 && { body }),
        signal: leave.signal,
      });
    };
    const exchange: Exchange = {
      request,
      response,
      path,
      forward,
      async pass() {
        const received = await forward();
        response.writeHead(received.status, [...received.headers].flat());
        response.flushHeaders();
        for await (const chunk of received.body ?? []) response.write(chunk);
        response.end();
      },
      refuse: (status, headers = {}, text = '') => void response.writeHead(status, headers).end(text),
      cut: () => void request.socket.destroy(),
    };
    await (queued.shift() ?? handler)(exchange);
  };
  beforeAll(async () => {
    server = await startProxyServer(respond);
  });
  afterAll(() => server.close());
  beforeEach(() => {
    queued = [];
    handler = ({ pass }) => pass();
    c.requests.length = 0;
    c.headers.length = 0;
  });
  return c;
}
