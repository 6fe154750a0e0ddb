import type { HttpResponseInit } from '@azure/functions';

/** One event of a `text/event-stream` (HTML, section 9.2). */
export interface ServerSentEvent {
  /** What a client sends as Last-Event-ID to go on after this event. */
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Between two comment lines that keep proxies from closing a silent connection. */
const keepAliveMs = 15_000;

/**
 * An answer that sends events as they come. A failure on the way ends it: the client reconnects and goes on after the
 * last event it has.
 * @param stop called when nobody reads any more.
 */
export function eventStreamResponse(
  events: AsyncIterable<ServerSentEvent>,
  stop: AbortController,
): HttpResponseInit & { headers: Record<string, string> } {
  const encoder = new TextEncoder();
  let keepAlive: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const send = (text: string) => {
        if (!stop.signal.aborted) controller.enqueue(encoder.encode(text));
      };
      // At once, because the headers go with the first bytes: a client has to know that it is connected.
      send(': connected\n\n');
      keepAlive = setInterval(() => send(': keep-alive\n\n'), keepAliveMs);
      try {
        for await (const { id, event, data } of events) {
          send(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
        }
      } catch {
        // The status is sent already; ending early is the only way left to tell.
      } finally {
        clearInterval(keepAlive);
        if (!stop.signal.aborted) controller.close();
        stop.abort();
      }
    },
    cancel() {
      stop.abort();
    },
  });
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // nginx and what is built on it would collect the events otherwise.
      'X-Accel-Buffering': 'no',
    },
    body: body as unknown as HttpResponseInit['body'],
  };
}
