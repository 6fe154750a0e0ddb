import type { HttpResponseInit } from '@azure/functions';
import type { RequestContext } from './endpoint.ts';

/** One event of a `text/event-stream` (HTML, section 9.2). */
export interface ServerSentEvent {
  /** What a client sends as Last-Event-ID to go on after this event. */
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Between two comment lines that keep proxies from closing a silent connection, in milliseconds. */
const keepAliveMs = 15_000;

/** Bytes that may wait for a client that does not read; beyond that its connection is closed, and it can resume. */
const maxUnsentBytes = 1024 * 1024;

/**
 * Sends events as they come, each only after the client has taken the ones before. The response ends when the events
 * do, when they fail, and when its time is up: the client reconnects and goes on after the last event it has. All work
 * for the events ends with it, or at once when the client disconnects.
 * @param open starts the events; they have to end soon after its signal aborts.
 */
export function eventStreamResponse(
  { signal: disconnected, outgoing }: Pick<RequestContext, 'signal' | 'outgoing'>,
  maxDurationMs: number,
  open: (signal: AbortSignal) => AsyncIterable<ServerSentEvent>,
): HttpResponseInit & { headers: Record<string, string> } {
  const encoder = new TextEncoder();
  const stop = new AbortController();
  const events = open(stop.signal)[Symbol.asyncIterator]();
  /** The next text for the client, once it is there; the empty one is the end. */
  let next: string | undefined = ': connected\n\n';
  let reading = false;
  let keepAliveDue = false;
  let wake: () => void = () => undefined;

  const end = () => {
    if (stop.signal.aborted) return;
    clearTimeout(timeUp);
    clearInterval(keepAlive);
    disconnected.removeEventListener('abort', end);
    outgoing?.off('drain', notice);
    stop.abort();
    // Events that wait for something return only when that is over, so nobody waits for them.
    events.return?.().catch(() => undefined);
    notice();
  };
  const notice = () => wake();
  const timeUp = setTimeout(end, maxDurationMs);
  const keepAlive = setInterval(() => {
    keepAliveDue = true;
    notice();
  }, keepAliveMs);
  disconnected.addEventListener('abort', end);
  outgoing?.on('drain', notice);
  if (disconnected.aborted) end();

  const read = async () => {
    reading = true;
    try {
      const { done, value } = await events.next();
      next = done ? '' : `id: ${value.id}\nevent: ${value.event}\ndata: ${JSON.stringify(value.data)}\n\n`;
    } catch {
      // The status is sent already; ending early is the only way left to tell.
      next = '';
    }
    reading = false;
    notice();
  };

  /** @returns the empty text at the end. */
  const take = async (): Promise<string> => {
    while (!stop.signal.aborted) {
      if ((outgoing?.writableLength ?? 0) > maxUnsentBytes) outgoing?.destroy();
      if (!outgoing?.writableNeedDrain) {
        if (next !== undefined) {
          const text = next;
          next = undefined;
          keepAlive.refresh();
          return text;
        }
        if (keepAliveDue) {
          keepAliveDue = false;
          return ': keep-alive\n\n';
        }
        if (!reading) void read();
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return '';
  };

  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const text = await take();
        if (text !== '') return controller.enqueue(encoder.encode(text));
        end();
        controller.close();
      },
      cancel: end,
    },
    // Nothing is taken ahead of the client.
    { highWaterMark: 0 },
  );
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // Disables response buffering in nginx-based proxies.
      'X-Accel-Buffering': 'no',
    },
    body: body as unknown as HttpResponseInit['body'],
  };
}
