import type { ServerResponse } from 'node:http';
import { type Engine, watch } from './engine.ts';
import { eventsOf, type TimedEvent } from './events.ts';
import type { StreamFault } from './faults.ts';
import { eventStreamHeaders } from './http.ts';
import { settle } from './lifecycle.ts';
import type { ResponseRecord } from './types.ts';

/** Minimum delay between two writes, in milliseconds; events due within it are batched. */
const minPauseMs = 10;

export interface StreamOptions {
  /** The last sequence number that the client has received; -1 for none. */
  startingAfter: number;
  /** Whether deltas are padded. */
  obfuscation: boolean;
  fault: StreamFault | null;
}

/** Streams the events after `startingAfter`: past events immediately, others when they are due. */
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
    // Recording an end calls this function recursively.
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
    else if (dueAtMs !== undefined) timer = setTimeout(proceed, Math.max(minPauseMs, dueAtMs - nowMs));
  };
  const unwatch = watch(engine, record.id, () => {
    // A stranded response has no further events.
    if (record.startsAtMs === null) events = eventsOf(engine, record);
    proceed();
  });
  response.on('close', () => {
    clearTimeout(timer);
    unwatch();
  });
  proceed();
}

/** Creates a function that writes events, applying the fault, and returns whether the stream is broken. */
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

/** Returns padding to a multiple of 16 characters. Random in a real engine, deterministic here. */
function pad(delta: string, sequenceNumber: number): string {
  const length = (paddedLength - (delta.length % paddedLength)) % paddedLength;
  const start = (sequenceNumber * 7) % (paddingCharacters.length - paddedLength);
  return paddingCharacters.slice(start, start + length);
}

/** Calls the listener once, when the response has ended. @returns a way to stop waiting. */
export function onEnd(engine: Engine, record: ResponseRecord, listener: () => void): { abandon(): void } {
  let timer: NodeJS.Timeout | undefined;
  const abandon = () => {
    clearTimeout(timer);
    unwatch();
  };
  const check = () => {
    settle(engine, record);
    clearTimeout(timer);
    if (record.end) {
      abandon();
      listener();
    } else if (record.endsAtMs !== null) timer = setTimeout(check, record.endsAtMs - Date.now());
  };
  const unwatch = watch(engine, record.id, check);
  check();
  return { abandon };
}
