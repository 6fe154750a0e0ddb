import type { ServerResponse } from 'node:http';
import { type Engine, watch } from './engine.ts';
import { eventsOf, type TimedEvent } from './events.ts';
import { settle } from './lifecycle.ts';
import type { ResponseRecord } from './types.ts';

/** Events due closer together than this go out at once: a word a millisecond needs no timer of its own. */
const shortestPauseMs = 10;

/** Sends the events after `startingAfter`, those of the past at once and the others when their time comes. */
export function streamEvents(
  engine: Engine,
  record: ResponseRecord,
  startingAfter: number,
  response: ServerResponse,
): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  const events = eventsOf(engine, record);
  let next = startingAfter + 1;
  let timer: NodeJS.Timeout | undefined;
  const proceed = () => {
    clearTimeout(timer);
    settle(engine, record);
    const untilMs = record.end?.atMs ?? Date.now();
    const from = next;
    while ((events[next]?.dueAtMs ?? Infinity) <= untilMs) next += 1;
    if (next > from) response.write(events.slice(from, next).map(toServerSentEvent).join(''));
    const dueAtMs = events[next]?.dueAtMs;
    if (record.end || (!record.readable && record.request.store)) response.end();
    else if (dueAtMs !== undefined)
      timer = setTimeout(proceed, Math.max(shortestPauseMs, dueAtMs - Date.now()));
  };
  const unwatch = watch(engine, record.id, proceed);
  response.on('close', () => {
    clearTimeout(timer);
    unwatch();
  });
  proceed();
}

function toServerSentEvent({ type, sequence_number, body }: TimedEvent): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number, ...body })}\n\n`;
}

/** Calls back once, when the response has ended or can no longer be read; `abandon` gives up before. */
export function onEnd(engine: Engine, record: ResponseRecord, listener: () => void): { abandon(): void } {
  let timer: NodeJS.Timeout | undefined;
  const abandon = () => {
    clearTimeout(timer);
    unwatch();
  };
  const look = () => {
    settle(engine, record);
    clearTimeout(timer);
    if (record.end) {
      abandon();
      listener();
    } else if (record.endsAtMs !== null) timer = setTimeout(look, record.endsAtMs - Date.now());
  };
  const unwatch = watch(engine, record.id, look);
  look();
  return { abandon };
}
