import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HttpResponseInit } from '@azure/functions';
import type { RequestContext } from './endpoint.ts';

/** An event of a `text/event-stream` (HTML, section 9.2). */
export interface ServerSentEvent {
  /** Sent by a client as `Last-Event-ID` to resume after this event; undefined if it cannot. */
  readonly id?: string;
  readonly event: string;
  /** JSON unless it is a string, which must not contain line breaks. */
  readonly data: unknown;
}

/** Interval of comment lines that keep proxies from closing an idle connection, in milliseconds. */
const keepAliveMs = 15_000;

/** Maximum bytes buffered for a slow client. Beyond that its connection is closed; it can resume. */
const maxUnsentBytes = 1024 * 1024;

/** Batch size, in characters, from which no further event is read until the client has received the batch. */
const maxBatchLength = 16 * 1024;

const toText = ({ id, event, data }: ServerSentEvent): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

/**
 * Creates a response that streams events. Batches pending events and applies back-pressure, because writing single
 * events to many followers of a run would keep a worker busy. The response ends when the events end or fail, or when its
 * time is up; the client can then resume. When it ends, or the client disconnects, the events are stopped.
 * @param open starts the events, which must end soon after its signal aborts.
 */
export function eventStreamResponse(
  { signal: disconnected, outgoing }: Pick<RequestContext, 'signal' | 'outgoing'>,
  maxDurationMs: number,
  open: (signal: AbortSignal) => AsyncIterable<ServerSentEvent>,
): HttpResponseInit & { headers: Record<string, string> } {
  const encoder = new TextEncoder();
  const stop = new AbortController();
  const events = open(stop.signal)[Symbol.asyncIterator]();
  /** Text to send next. */
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
    outgoing.off('drain', wakeReader);
    stop.abort();
    // Not awaited: an iterator that is waiting returns only afterwards.
    events.return?.().catch(() => undefined);
    wakeReader();
  };
  const wakeReader = () => wake();
  const timeUp = setTimeout(end, maxDurationMs);
  const keepAlive = setInterval(() => {
    keepAliveDue = true;
    wakeReader();
  }, keepAliveMs);
  disconnected.addEventListener('abort', end);
  outgoing.on('drain', wakeReader);
  if (disconnected.aborted) end();

  const read = async () => {
    reading = true;
    try {
      while (!ended && batch.length < maxBatchLength) {
        const { done, value } = await events.next();
        if (done) ended = true;
        else batch += toText(value);
        wakeReader();
      }
    } catch {
      // The status has been sent, so the response can only end early.
      ended = true;
    }
    reading = false;
    wakeReader();
  };

  /** Returns the next batch, or an empty string at the end. */
  const nextBatch = async (): Promise<string> => {
    while (!stop.signal.aborted) {
      if (outgoing.writableLength > maxUnsentBytes) outgoing.destroy();
      if (!outgoing.writableNeedDrain) {
        if (!reading) void read();
        if (batch !== '') {
          // Let pending events join the batch and other work proceed.
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
        const text = await nextBatch();
        if (text !== '') return controller.enqueue(encoder.encode(text));
        end();
        controller.close();
      },
      cancel: end,
    },
    // Do not read ahead of the client.
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
