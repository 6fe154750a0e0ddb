import type { IncomingMessage } from 'node:http';

/** Thrown for a request that the host itself rejects, with an empty body. */
export class RequestError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`status ${status}`);
    this.status = status;
  }
}

/** Kestrel's `MinRequestBodyDataRate`: 240 bytes per second after a grace period of 5 s. */
const minBytesPerSecond = 240;
const graceMs = 5_000;

/**
 * Enforces Kestrel's limits on a request body.
 * @returns `failed`, which rejects with 413 for a body beyond the limit, 408 for a slow one and 500 for a malformed
 * one, and `stop`, which stops watching.
 */
export function watchRate(
  request: IncomingMessage,
  maxBytes: number,
): { failed: Promise<never>; stop(): void } {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) reject(new RequestError(413));
  const startedAt = performance.now();
  let received = request.readableLength;
  const push = request.push.bind(request);
  // The socket's own count would miss what it read together with the headers.
  request.push = (chunk, encoding) => {
    received += chunk?.length ?? 0;
    return push(chunk, encoding);
  };
  const timer = setInterval(() => {
    if (request.complete) return clearInterval(timer);
    const elapsedMs = performance.now() - startedAt;
    // Unread data means that the worker is slow, not the client.
    if (request.readableLength > 0) return;
    if (received > maxBytes) reject(new RequestError(413));
    if (elapsedMs > graceMs && received < (minBytesPerSecond * elapsedMs) / 1000)
      reject(new RequestError(408));
  }, 250);
  const broken = () => reject(new RequestError(500));
  request.once('error', broken);
  return {
    failed,
    stop: () => {
      clearInterval(timer);
      request.off('error', broken);
      request.on('error', () => undefined);
    },
  };
}
