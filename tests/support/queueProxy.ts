import { randomBytes } from 'node:crypto';
import {
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { scheduler } from 'node:timers/promises';
import {
  AccountSASPermissions,
  AnonymousCredential,
  QueueClient,
  QueueServiceClient,
} from '@azure/storage-queue';
import { startProxyServer } from './proxyServer.ts';

/** A call to the queue service. */
export type QueueCall = 'send' | 'receive' | 'delete' | 'update' | 'other';

/**
 * Fault of a call: `fail` responds with 500, `hang` never responds, `lose` executes it and drops the response, `late`
 * executes it after the caller has timed out, `twice` executes it twice.
 */
export type QueueFault = 'fail' | 'hang' | 'lose' | 'late' | 'twice';

/** A message sent to the queue `runs`. */
export interface SentMessage {
  /** Parsed if it is JSON, otherwise text. */
  readonly content: unknown;
  readonly delaySeconds: number;
  /** Seconds; -1 for never. */
  readonly timeToLive: number;
}

export interface QueueProxy {
  /** Connects to the queues through the proxy. */
  readonly connectionString: string;
  /** The queue behind the proxy, without faults and delays. */
  readonly queue: QueueClient;
  readonly poison: QueueClient;
  /** Messages that the service has sent since the last `reset`. */
  readonly sent: SentMessage[];
  /** Calls since the last `reset`. */
  readonly calls: QueueCall[];
  /** Empties both queues, clears faults and calls, and holds messages back again. */
  reset(): Promise<void>;
  /**
   * Delivers messages. Until then none is delivered, so as not to disturb other tests.
   * @param longestDelaySeconds maximum delay of messages sent from now on.
   * @param longestLeaseSeconds maximum visibility timeout of a delivered message, which matters if its host dies.
   */
  deliver(longestDelaySeconds: number, longestLeaseSeconds?: number): void;
  /** Injects a fault into the next `times` calls of that kind. */
  inject(call: QueueCall, fault: QueueFault, times?: number): void;
  /** Clears pending faults. */
  forgetFaults(): void;
  /** Refuses connections until `back`. */
  away(): Promise<void>;
  back(): Promise<void>;
  isUp(): boolean;
  close(): Promise<void>;
}

/** Longer than the service's timeout of three seconds. */
const lateMs = 4_000;

const emptyList = '<?xml version="1.0" encoding="utf-8"?><QueueMessagesList></QueueMessagesList>';

/**
 * Starts a proxy between the service and the queues, so that a test can count calls, shorten delays and make the queues
 * unavailable. Each proxy maps queue names to separate queues, because a run must not be followed up by a service with
 * another engine.
 */
export async function startQueueProxy(): Promise<QueueProxy> {
  const storage = process.env['TEST_QUEUES_CONNECTION_STRING'] ?? '';
  const queuePort = Number(process.env['TEST_QUEUES_PORT']);
  const ownName = `runs-${randomBytes(6).toString('hex')}`;
  const service = QueueServiceClient.fromConnectionString(storage);
  // Signed requests are bound to their queue name; a shared access signature is valid for any.
  const signature = new URL(
    service.generateAccountSasUrl(
      new Date(Date.now() + 86_400_000),
      AccountSASPermissions.parse('rwdlacup'),
      'sco',
    ),
  ).searchParams;
  const [queue, poison] = [ownName, `${ownName}-poison`].map(
    (name) =>
      new QueueClient(`${service.url.replace(/\/$/, '')}/${name}?${signature}`, new AnonymousCredential()),
  ) as [QueueClient, QueueClient];
  await queue.createIfNotExists();

  const calls: QueueCall[] = [];
  const sent: SentMessage[] = [];
  const faults: { call: QueueCall; fault: QueueFault }[] = [];
  let longestDelay: number | undefined;
  let longestLease: number | undefined;

  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request);
    const url = new URL(request.url ?? '', 'http://127.0.0.1');
    const call = toCall(request.method, url);
    calls.push(call);
    if (call === 'send' && !url.pathname.includes('-poison')) sent.push(toSent(url, body));
    if (call === 'receive' && longestDelay === undefined) {
      return void response.writeHead(200, { 'Content-Type': 'application/xml' }).end(emptyList);
    }
    const index = faults.findIndex((entry) => entry.call === call);
    const fault = index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
    if (fault === 'hang') return;
    if (fault === 'fail') return void response.writeHead(500).end();
    if (fault === 'late') await scheduler.wait(lateMs);

    const hidden = url.searchParams.get('visibilitytimeout');
    const longest = call === 'receive' ? longestLease : call === 'other' ? undefined : longestDelay;
    if (hidden !== null && longest !== undefined) {
      url.searchParams.set('visibilitytimeout', String(Math.min(Number(hidden), longest)));
    }
    url.pathname = url.pathname.replace(/(?<=\/devstoreaccount1\/)runs(?=$|[/-])/, ownName);
    for (const [name, value] of signature) url.searchParams.set(name, value);
    const send = () => sendOn(queuePort, request, `${url.pathname}${url.search}`, body);
    try {
      if (fault === 'twice') await send();
      const { status, headers, content } = await send();
      if (fault === 'lose' || fault === 'late') return void request.socket.destroy();
      response.writeHead(status, headers).end(content);
    } catch {
      response.destroy();
    }
  };
  const server = await startProxyServer(respond);
  const { port } = server;
  return {
    connectionString: storage.replace(`:${queuePort}/`, `:${port}/`),
    queue,
    poison,
    sent,
    calls,
    async reset() {
      longestDelay = undefined;
      longestLease = undefined;
      faults.length = 0;
      // Without a call there is nothing to clear: a test sends messages of its own only to a service that polls.
      if (calls.length > 0) {
        await queue.clearMessages();
        if (await poison.exists()) await poison.clearMessages();
      }
      calls.length = 0;
      sent.length = 0;
    },
    deliver: (longestDelaySeconds, longestLeaseSeconds) => {
      longestDelay = longestDelaySeconds;
      longestLease = longestLeaseSeconds;
    },
    inject: (call, fault, times = 1) => {
      for (let time = 0; time < times; time++) faults.push({ call, fault });
    },
    forgetFaults: () => {
      faults.length = 0;
    },
    away: server.away,
    back: server.back,
    isUp: server.isUp,
    async close() {
      await server.close();
      await Promise.all([queue.deleteIfExists(), poison.deleteIfExists()]);
    },
  };
}

interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly content: Buffer;
}

function sendOn(port: number, request: IncomingMessage, path: string, body: Buffer): Promise<Received> {
  return new Promise((resolve, reject) => {
    const { authorization: _other, ...headers } = request.headers;
    forward({ port, host: '127.0.0.1', method: request.method, path, headers }, async (response) => {
      resolve({
        status: response.statusCode ?? 502,
        headers: response.headers,
        content: await buffer(response),
      });
    })
      .on('error', reject)
      .end(body);
  });
}

function toCall(method: string | undefined, { pathname, searchParams }: URL): QueueCall {
  if (!/\/messages(\/|$)/.test(pathname)) return 'other';
  if (method === 'POST') return 'send';
  if (method === 'GET') return searchParams.has('peekonly') ? 'other' : 'receive';
  return method === 'DELETE' ? 'delete' : 'update';
}

function toSent({ searchParams }: URL, body: Buffer): SentMessage {
  const text = /<MessageText>(.*)<\/MessageText>/s.exec(body.toString())?.[1] ?? '';
  const decoded = Buffer.from(text, 'base64').toString();
  let content: unknown = decoded;
  try {
    content = JSON.parse(decoded);
  } catch {
    // Not JSON: keep the text.
  }
  return {
    content,
    delaySeconds: Number(searchParams.get('visibilitytimeout') ?? 0),
    timeToLive: Number(searchParams.get('messagettl') ?? 604_800),
  };
}
