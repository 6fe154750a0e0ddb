import { randomUUID } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';

/*
 * With HTTP streaming on, the host sends each request to a small server inside the worker, and `@azure/functions` joins
 * it with its invocation. On the way it loses what a handler needs to know: that the client has disconnected, whether
 * it reads (azure-functions-nodejs-library#294), and the request's own headers where the query or a JSON body has a
 * property `Headers`. And it trusts what it receives: a request without an invocation hangs, an invocation id of `error`
 * crashes the worker. Node's diagnostics channel shows each request before the library sees it.
 */

/** A request as the worker's server received it. */
export interface ProxiedRequest {
  readonly invocationId: string;
  /** Those that the client and the host sent. */
  readonly headers: Headers;
  /** Aborts when the connection closes before the response is complete. */
  readonly signal: AbortSignal;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Why a request is answered without an invocation. */
export type Rejection = 'invalid_invocation_id' | 'unclaimed';

/** Answers a request that the library holds, and makes the library forget it. */
export type Reject = (request: ProxiedRequest, rejection: Rejection) => Promise<void>;

const invocationHeader = 'x-ms-invocation-id';

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** How long request and invocation wait for each other, in milliseconds. */
const claimTimeoutMs = 5_000;

/** How long a client may take to read the rest of a response that has ended, in milliseconds. */
const flushTimeoutMs = 30_000;

/** What has to arrive of the rest of a body that nobody reads any more: so many bytes in so many milliseconds. */
const drainBytes = 256 * 1024;
const drainMs = 5_000;

interface Entry extends ProxiedRequest {
  /** Runs until an invocation claims the request. */
  unclaimed: NodeJS.Timeout | undefined;
}

const entries = new Map<string, Entry>();

/** Invocations whose request has not arrived yet. */
const waiting = new Map<string, () => void>();

/**
 * Observes every request of the worker's HTTP server. One whose invocation id is impossible is rejected at once, one
 * that no invocation claims after 5 s.
 */
export function observeRequests(reject: Reject): void {
  subscribe('http.server.request.start', (message) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const sent = request.headers[invocationHeader];
    const valid = typeof sent === 'string' && guid.test(sent) && !entries.has(sent);
    const invocationId = valid ? sent : randomUUID();
    // The library files the request under this header, so an id of the client's choice never reaches it.
    request.headers[invocationHeader] = invocationId;
    const entry = createEntry(invocationId, request, response);
    const end = (rejection: Rejection) => {
      // First of all, so that no invocation claims it any more.
      releaseRequest(entry);
      void reject(entry, rejection).finally(() => closeSoon(entry));
    };
    // Not before the library has filed it: only then can it be made to forget it.
    if (!valid) return void setImmediate(end, 'invalid_invocation_id');
    entry.unclaimed = setTimeout(end, claimTimeoutMs, 'unclaimed').unref();
    entries.set(invocationId, entry);
    waiting.get(invocationId)?.();
  });
}

function createEntry(invocationId: string, incoming: IncomingMessage, outgoing: ServerResponse): Entry {
  const disconnected = new AbortController();
  let headers: Headers | undefined;
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) disconnected.abort();
    if (!incoming.complete && !incoming.destroyed) drain(incoming);
  });
  return {
    invocationId,
    get headers() {
      headers ??= toHeaders(incoming);
      return headers;
    },
    signal: disconnected.signal,
    incoming,
    outgoing,
    unclaimed: undefined,
  };
}

/** Takes in the rest of a body: the host reads no response before it has sent all of it. A slow rest is cut off. */
function drain(incoming: IncomingMessage): void {
  incoming.resume();
  let received = incoming.socket.bytesRead;
  const timer = setInterval(() => {
    if (incoming.socket.bytesRead - received < drainBytes) incoming.destroy();
    received = incoming.socket.bytesRead;
  }, drainMs).unref();
  incoming.once('close', () => clearInterval(timer));
}

function toHeaders({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}

/**
 * Joins an invocation with its request.
 * @returns undefined when the request does not arrive within 5 s, or has been rejected.
 */
export async function claimRequest(invocationId: string): Promise<ProxiedRequest | undefined> {
  if (!entries.has(invocationId)) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, claimTimeoutMs);
      waiting.set(invocationId, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    waiting.delete(invocationId);
  }
  const entry = entries.get(invocationId);
  clearTimeout(entry?.unclaimed);
  return entry;
}

/** The claimed request of an invocation; undefined without HTTP streaming. */
export const findRequest = (invocationId: string): ProxiedRequest | undefined => entries.get(invocationId);

/** Forgets a request that has its response. */
export function releaseRequest({ invocationId }: ProxiedRequest): void {
  entries.delete(invocationId);
}

/** Closes the connection of a client that does not read its response to the end within 30 s. */
export function closeSoon({ outgoing }: ProxiedRequest): void {
  if (outgoing.writableFinished || outgoing.destroyed) return;
  const timer = setTimeout(() => outgoing.destroy(), flushTimeoutMs).unref();
  outgoing.once('close', () => clearTimeout(timer));
}
