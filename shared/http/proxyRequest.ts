import { randomUUID } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';

/*
 * With HTTP streaming, the host proxies each request to an HTTP server inside the worker, and `@azure/functions` matches
 * it with its invocation. Handlers then cannot detect disconnects or back-pressure
 * (azure-functions-nodejs-library#294), and lose the request's headers if the query or a JSON body has a property
 * `Headers`. The library also trusts its input: a request without an invocation hangs, and the invocation id `error`
 * crashes the worker. Node's diagnostics channel gives access to each request before the library handles it.
 */

/** A request as received by the worker's HTTP server. */
export interface ProxiedRequest {
  readonly invocationId: string;
  /** The headers sent by the client and the host. */
  readonly headers: Headers;
  /** Aborts when the connection closes before the response is complete. */
  readonly signal: AbortSignal;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Why a request is rejected without an invocation. */
export type Rejection = 'invalid_invocation_id' | 'unclaimed';

/** Responds to a request that the library holds, and makes the library forget it. */
export type Reject = (request: ProxiedRequest, rejection: Rejection) => Promise<void>;

const invocationHeader = 'x-ms-invocation-id';

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** How long a request and its invocation wait for each other, in milliseconds. */
const claimTimeoutMs = 5_000;

/** How long a client may take to read the rest of a complete response, in milliseconds. */
const flushTimeoutMs = 30_000;

/** Minimum rate at which the rest of a discarded body must arrive: `drainBytes` per `drainMs` milliseconds. */
const drainBytes = 256 * 1024;
const drainMs = 5_000;

interface Entry extends ProxiedRequest {
  /** Runs until an invocation claims the request. */
  unclaimed: NodeJS.Timeout | undefined;
}

const entries = new Map<string, Entry>();

/** Wake-up functions of invocations whose request has not arrived yet. */
const waiting = new Map<string, () => void>();

/**
 * Observes every request of the worker's HTTP server. Rejects a request with an invalid invocation id immediately, and
 * one that no invocation claims after 5 s.
 */
export function observeRequests(reject: Reject): void {
  subscribe('http.server.request.start', (message) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const sent = request.headers[invocationHeader];
    const valid = typeof sent === 'string' && guid.test(sent) && !entries.has(sent);
    const invocationId = valid ? sent : randomUUID();
    // The library stores the request under this header, so an id chosen by the client must not reach it.
    request.headers[invocationHeader] = invocationId;
    const entry = createEntry(invocationId, request, response);
    const end = (rejection: Rejection) => {
      // First, so that no invocation can claim it.
      releaseRequest(entry);
      void reject(entry, rejection).finally(() => closeSoon(entry));
    };
    // Deferred until the library has stored the request, because only then can it be made to forget it.
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

/** Discards the rest of a body, because the host reads no response before it has sent all of it; aborts a slow one. */
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
 * Claims the request of an invocation, waiting for it if necessary.
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

/** Returns the claimed request of an invocation, which stays until its function has ended. */
export function findRequest(invocationId: string): ProxiedRequest {
  const entry = entries.get(invocationId);
  if (!entry) throw new Error('The function runs without HTTP streaming');
  return entry;
}

/** Removes a request that has been responded to. */
export function releaseRequest({ invocationId }: ProxiedRequest): void {
  entries.delete(invocationId);
}

/** Closes the connection if the client does not read its response within 30 s. */
export function closeSoon({ outgoing }: ProxiedRequest): void {
  if (outgoing.writableFinished || outgoing.destroyed) return;
  const timer = setTimeout(() => outgoing.destroy(), flushTimeoutMs).unref();
  outgoing.once('close', () => clearTimeout(timer));
}
