import type { ServerResponse } from 'node:http';
import { type Engine, watch } from './engine.ts';
import { eventsOf, type TimedEvent } from './events.ts';
import type { StreamFault } from './faults.ts';
import { eventStreamHeaders } from './http.ts';
import { settle } from './lifecycle.ts';
import type { ResponseRecord } from './types.ts';

/** Events due closer together than this go out at once: a word a millisecond needs no timer of its own. */
const shortestPauseMs = 10;

export interface StreamOptions {
  /** The last sequence number that the client has seen; -1 for none. */
  startingAfter: number;
  /** Whether deltas are padded. */
  obfuscation: boolean;
  fault: StreamFault | null;
}

/** Sends the events after `startingAfter`, those of the past at once and the others when their time comes. */
export function streamEvents(
  engine: Engine,
  record: ResponseRecord,
  { startingAfter, obfuscation, fault }: StreamOptions,
  response: ServerResponse,
): void {
  response.writeHead(200, eventStreamHeaders);
  response.flushHeaders();
  const notBeforeMs = Date.now() + (fault?.firstEventMs ?? 0);
  const write = createWriter(response, obfuscation, fault);
  let events = eventsOf(engine, record);
  let next = fault?.repeat ? 0 : startingAfter + 1;
  let isBroken = false;
  let timer: NodeJS.Timeout | undefined;
  const proceed = () => {
    clearTimeout(timer);
    // An end that is recorded now calls this again before it comes back.
    settle(engine, record);
    if (isBroken) return;
    const nowMs = Date.now();
    if (nowMs < notBeforeMs) {
      timer = setTimeout(proceed, notBeforeMs - nowMs);
      return;
    }
    const untilMs = record.end?.atMs ?? nowMs;
    const from = next;
    while ((events[next]?.dueAtMs ?? Infinity) <= untilMs) next += 1;
    if (next > from) isBroken = write(events.slice(from, next));
    if (isBroken) return;
    const dueAtMs = events[next]?.dueAtMs;
    if (record.end || (!record.readable && record.request.store)) response.end();
    else if (dueAtMs !== undefined) timer = setTimeout(proceed, Math.max(shortestPauseMs, dueAtMs - nowMs));
  };
  const unwatch = watch(engine, record.id, () => {
    // What was to come does not come when the response was stranded meanwhile.
    if (record.startsAtMs === null) events = eventsOf(engine, record);
    proceed();
  });
  response.on('close', () => {
    clearTimeout(timer);
    unwatch();
  });
  proceed();
}

/** Writes events until the fault says otherwise. True when it has broken the stream. */
function createWriter(response: ServerResponse, obfuscation: boolean, fault: StreamFault | null) {
  let eventsLeft = fault?.afterEvents ?? Infinity;
  let bytesLeft = fault?.extraBytes ?? 0;
  return (batch: readonly TimedEvent[]): boolean => {
    const whole = batch.slice(0, eventsLeft);
    const rest = batch.slice(whole.length);
    const toText = (event: TimedEvent) => toServerSentEvent(event, obfuscation);
    const cut = bytesLeft > 0 ? Buffer.from(rest.map(toText).join('')).subarray(0, bytesLeft) : [];
    eventsLeft -= whole.length;
    bytesLeft -= cut.length;
    const isBroken = eventsLeft === 0 && bytesLeft === 0;
    const onSent = () => isBroken && breakStream(fault?.how ?? 'drop', response);
    response.write(Buffer.concat([Buffer.from(whole.map(toText).join('')), Buffer.from(cut)]), onSent);
    return isBroken;
  };
}

function breakStream(how: NonNullable<StreamFault['how']>, response: ServerResponse): void {
  if (how === 'end') response.end();
  if (how === 'drop') response.destroy();
}

function toServerSentEvent({ type, sequence_number, body }: TimedEvent, obfuscation: boolean): string {
  const { delta } = body;
  const padding =
    obfuscation && typeof delta === 'string' ? { obfuscation: pad(delta, sequence_number) } : {};
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number, ...body, ...padding })}\n\n`;
}

const paddedLength = 16;
const paddingCharacters = 'q7RtZ0bLxV4mKdW9sHcN2yGfPj6TaEoU1iQ8vXn3BkCr5JwMzYlDuOgSpAhFeI';

/** Fills a delta up to a multiple of 16 characters. Random on a real engine, here the same at each replay. */
function pad(delta: string, sequenceNumber: number): string {
  const length = (paddedLength - (delta.length % paddedLength)) % paddedLength;
  const start = (sequenceNumber * 7) % (paddingCharacters.length - paddedLength);
  return paddingCharacters.slice(start, start + length);
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
