import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Reply {
  readonly status: number;
  readonly location: string;
  readonly text: string;
}

/** A client with connections that it keeps; leaner than `fetch`, so that less of what is measured is its own. */
export interface Client {
  /** @param otherToken instead of the client's own. @throws {Error} when the answer has another status. */
  call(method: string, path: string, status: number, body?: unknown, otherToken?: string): Promise<Reply>;
  /** Opens an answer, of a POST when there is a body, and leaves reading it to the caller. @throws {Error} when its status is not 200. */
  open(path: string, body?: unknown): Promise<IncomingMessage>;
  close(): void;
}

/** @param token sent with every request when given. */
export function createClient(baseUrl: string, token?: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const send = (method: string, path: string, body?: unknown, sentToken = token) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const content = body === undefined ? undefined : JSON.stringify(body);
      request(baseUrl + path, {
        agent,
        method,
        headers: {
          ...(sentToken && { Authorization: `Bearer ${sentToken}` }),
          ...(content && {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(content),
          }),
        },
      })
        .once('response', resolve)
        .once('error', reject)
        .end(content);
    });
  return {
    async call(method, path, status, body, otherToken) {
      const response = await send(method, path, body, otherToken);
      const reply = {
        status: response.statusCode ?? 0,
        location: response.headers.location ?? '',
        text: await text(response),
      };
      if (reply.status !== status) {
        throw new Error(`${method} ${path} answered ${reply.status} instead of ${status}: ${reply.text}`);
      }
      return reply;
    },
    async open(path, body) {
      const response = await send(body === undefined ? 'GET' : 'POST', path, body);
      if (response.statusCode !== 200) throw new Error(`${path} answered ${response.statusCode}`);
      return response;
    },
    close: () => agent.destroy(),
  };
}
