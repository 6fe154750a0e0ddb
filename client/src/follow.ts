import { pause, startDeadline } from './abort.ts';
import { ApiError, ConnectionError, TimeoutError } from './errors.ts';
import { createEventParser } from './sse.ts';
import type { Transport } from './transport.ts';
import type { FinishedOptions, FollowOptions, Run, RunEvent, Timing } from './types.ts';

/** What all follows of a client share. */
export interface Watcher {
  readonly transport: Transport;
  readonly timing: Timing;
  /** How long to wait for a stream's first byte. Short once no stream has passed: a proxy buffers the next one as well. */
  patienceMs: number;
}

/** How to learn of changes. One that does not work here is replaced by the next, for the rest of the call. */
type Way = 'stream' | 'wait' | 'poll';

/** Failures in a row after which a follow gives up: with the pauses between them, over a minute. */
const maxFailures = 7;

/** Streams in a row that opened and broke without an event, after which streams are taken not to pass. */
const maxBarrenStreams = 3;

/** Patience after a stream that did not pass, in milliseconds. */
const shortPatienceMs = 1_000;

const isTerminal = ({ completedAt }: Run): boolean => completedAt !== null;

/** Names a stage of a run; a run that waits again asks for other calls. */
const toStage = ({ status, requiredAction }: Run): string => status + JSON.stringify(requiredAction ?? '');

/** Yields the events of a run, each once, until it has ended. @param path of the run. @returns the ended run. */
export async function* follow(
  watcher: Watcher,
  path: string,
  { signal, lastEventId }: FollowOptions = {},
  firstWay: Way = 'stream',
): AsyncGenerator<RunEvent, Run, undefined> {
  const { transport, timing } = watcher;
  const seen = new Set<string>();
  let way = firstWay;
  let cursor = lastEventId;
  let stage = '';
  let failures = 0;
  let barrenStreams = 0;

  while (true) {
    try {
      if (way === 'stream') {
        const stream = await openStream(watcher, `${path}/events`, cursor, signal);
        if (stream === 'none') {
          // A short patience spares the next follow of this client most of the wait.
          watcher.patienceMs = Math.min(watcher.patienceMs, shortPatienceMs);
          way = 'wait';
          continue;
        }
        if (stream === 'finished') {
          // The caller has had the last event.
          const run = await transport.json<Run>({ path, signal });
          if (isTerminal(run)) return run;
          way = 'wait';
          continue;
        }
        watcher.patienceMs = timing.firstByteMs;
        barrenStreams += 1;
        if (barrenStreams >= maxBarrenStreams) way = 'wait';
        for await (const event of readEvents(stream, timing.silenceMs, signal)) {
          failures = barrenStreams = 0;
          way = 'stream';
          cursor = event.id ?? cursor;
          // Events of one place have different names, or are the run in different states.
          const key = `${event.id} ${event.event} ${event.event === 'run' && event.data.status}`;
          if (event.id !== undefined && seen.has(key)) continue;
          seen.add(key);
          if (event.event === 'run') stage = toStage(event.data);
          yield event;
          if (event.event === 'run' && isTerminal(event.data)) return event.data;
        }
        if (barrenStreams > 0) throw new ConnectionError('The stream ended without an event');
        continue;
      }
      const waitS = way === 'wait' ? Math.floor(timing.waitMs / 1000) : 0;
      const run = await transport.json<Run>({
        path: waitS > 0 ? `${path}?wait=${waitS}` : path,
        signal,
        retry: 'never',
        timeoutMs: timing.requestMs + waitS * 1000,
      });
      failures = 0;
      if (toStage(run) !== stage) {
        stage = toStage(run);
        yield { event: 'run', data: run };
      }
      if (isTerminal(run)) return run;
      // A request does not wait for a run that waits for outputs.
      if (way === 'poll' || run.status === 'requires_action') await pause(timing.pollMs, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const delay = transport.retryDelay(error, failures);
      failures += 1;
      if (delay === undefined || failures > maxFailures) throw error;
      if (way === 'wait' && isCut(error)) way = 'poll';
      await pause(delay, signal);
    }
  }
}

/** Whether a request may have failed because it took long. */
const isCut = (error: unknown): boolean =>
  error instanceof ConnectionError || (error instanceof ApiError && error.status === 504);

interface OpenStream {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly firstBytes: Uint8Array | undefined;
}

/** Opens a stream. @returns `none` if nothing arrives in time, or what arrives is not a stream; `finished` after its last event. */
async function openStream(
  { transport, patienceMs }: Watcher,
  path: string,
  cursor: string | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenStream | 'none' | 'finished'> {
  const headers = { Accept: 'text/event-stream', ...(cursor !== undefined && { 'Last-Event-ID': cursor }) };
  try {
    return await transport.send(
      { path, headers, signal, retry: 'never', timeoutMs: patienceMs },
      async ({ status, headers, body }) => {
        if (status === 204) return 'finished';
        if (!body || !headers.get('Content-Type')?.startsWith('text/event-stream')) {
          await body?.cancel();
          return 'none';
        }
        const reader = body.getReader();
        // The service sends a comment at once. A proxy may pass on the headers and keep what follows.
        return { reader, firstBytes: (await reader.read()).value };
      },
    );
  } catch (error) {
    if (error instanceof ConnectionError && error.timedOut) return 'none';
    throw error;
  }
}

/** Yields the events of a stream until it ends. @throws {ConnectionError} if it breaks or is silent for too long. */
async function* readEvents(
  { reader, firstBytes }: OpenStream,
  silenceMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<RunEvent, void, undefined> {
  const parse = createEventParser();
  let silent = false;
  const cancel = () => void reader.cancel().catch(() => undefined);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for (let bytes = firstBytes; bytes; ) {
      signal?.throwIfAborted();
      for (const { id, event, data } of parse(bytes))
        yield { event, data: JSON.parse(data), ...(id !== undefined && { id }) } as RunEvent;
      const timer = setTimeout(() => {
        silent = true;
        cancel();
      }, silenceMs);
      bytes = await reader
        .read()
        .then(({ value }) => value)
        .finally(() => clearTimeout(timer));
      if (silent) throw new ConnectionError('The stream was silent', { timedOut: true });
    }
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof ConnectionError
      ? error
      : new ConnectionError('The stream broke', { cause: error });
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}

/** Resolves with a run once it has ended or waits for outputs. @param path of the run. @throws {TimeoutError} */
export async function finished(
  watcher: Watcher,
  path: string,
  { signal, timeoutMs }: FinishedOptions = {},
): Promise<Run> {
  const deadline = startDeadline(timeoutMs, signal);
  try {
    for await (const event of follow(watcher, path, { signal: deadline.signal }, 'wait'))
      if (event.event === 'run' && (isTerminal(event.data) || event.data.status === 'requires_action'))
        return event.data;
    throw new Error('unreachable');
  } catch (error) {
    if (deadline.timedOut()) throw new TimeoutError(`The run had not ended after ${timeoutMs} ms`);
    throw error;
  } finally {
    deadline.clear();
  }
}
