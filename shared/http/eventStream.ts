import { setImmediate as nextTurn } from 'node:timers/promises';
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

/** From how many characters on no further event is read before the client has taken those. */
const maxBatchLength = 16 * 1024;

/**
 * Sends events as they come, those that are there together, and none long before the client has taken the ones before:
 * many clients that follow the same run, or catch up with it, would otherwise keep a worker busy with single events. The response ends when the events
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
  /** What the client is to be sent next. */
  let batch = ': connected\n\n';
  let ended = false;
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
      while (!ended && batch.length < maxBatchLength) {
        const { done, value } = await events.next();
        if (done) ended = true;
        else batch += `id: ${value.id}\nevent: ${value.event}\ndata: ${JSON.stringify(value.data)}\n\n`;
        notice();
      }
    } catch {
      // The status is sent already; ending early is the only way left to tell.
      ended = true;
    }
    reading = false;
    notice();
  };

  /** @returns the empty text at the end. */
  const take = async (): Promise<string> => {
    while (!stop.signal.aborted) {
      if ((outgoing?.writableLength ?? 0) > maxUnsentBytes) outgoing?.destroy();
      if (!outgoing?.writableNeedDrain) {
        if (!reading) void read();
        if (batch !== '') {
          // Events that are there already join, and other work of the worker gets its turn.
          await nextTurn();
          if (stop.signal.aborted) break;
          const text = batch;
          batch = '';
          keepAlive.refresh();
          return text;
        }
        if (ended) break;
        if (keepAliveDue) {
          keepAliveDue = false;
          return ': keep-alive\n\n';
        }
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
    // No batch is taken ahead of the client.
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
