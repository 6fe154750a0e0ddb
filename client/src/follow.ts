import { pause, startDeadline } from './abort.ts';
import { ApiError, ConnectionError, TimeoutError } from './errors.ts';
import { createEventParser } from './sse.ts';
import type { Transport } from './transport.ts';
import type { FinishedOptions, FollowOptions, Run, RunEvent, Timing } from './types.ts';

/** What all follows of a client share. */
export interface Watcher {
  readonly transport: Transport;
  readonly timing: Timing;
  /** Timeout of a stream's first byte. Short after one did not pass: a proxy will hold the next one back, too. */
  patienceMs: number;
}

/** How to learn of changes. One that does not work here is replaced by the next. */
type Way = 'stream' | 'wait' | 'poll';

/** Failures in a row after which a follow gives up: by default after about 45 seconds of pauses. */
const maxFailures = 7;

/** Streams in a row that ended without an event, after which they are taken not to pass. */
const maxEmptyStreams = 3;

/** Patience after a stream that did not pass, in milliseconds. */
const shortPatienceMs = 1_000;

const isTerminal = ({ completedAt }: Run): boolean => completedAt !== null;

/** Names a stage of a run. A run that waits once more asks for other calls. */
const toStage = ({ status, requiredAction }: Run): string => status + JSON.stringify(requiredAction ?? '');

/** Yields the events of a run, each once, until it has ended. @param path of the run. @returns the ended run. */
export const follow = (
  watcher: Watcher,
  path: string,
  options: FollowOptions = {},
): AsyncGenerator<RunEvent, Run, undefined> => watch(watcher, path, 'stream', isTerminal, options);

/** Resolves with a run once it has ended or waits for outputs. @param path of the run. @throws {TimeoutError} */
export async function finished(
  watcher: Watcher,
  path: string,
  { signal, timeoutMs }: FinishedOptions = {},
): Promise<Run> {
  const deadline = startDeadline(timeoutMs, signal);
  const isEnd = (run: Run) => isTerminal(run) || run.status === 'requires_action';
  try {
    // A stream would carry the whole reply.
    const events = watch(watcher, path, 'wait', isEnd, { signal: deadline.signal });
    while (true) {
      const { done, value } = await events.next();
      if (done) return value;
    }
  } catch (error) {
    if (deadline.timedOut()) throw new TimeoutError(`The run had not ended after ${timeoutMs} ms`);
    throw error;
  } finally {
    deadline.clear();
  }
}

async function* watch(
  watcher: Watcher,
  path: string,
  firstWay: Way,
  isEnd: (run: Run) => boolean,
  { signal, lastEventId }: FollowOptions,
): AsyncGenerator<RunEvent, Run, undefined> {
  const { transport, timing } = watcher;
  const seen = new Set<string>();
  let way = firstWay;
  let cursor = lastEventId;
  let stage = '';
  let failures = 0;
  let emptyStreams = 0;

  while (true) {
    try {
      signal?.throwIfAborted();
      if (way === 'stream') {
        const stream = await openStream(watcher, `${path}/events`, cursor, signal);
        if (stream === 'none') {
          // The next follow of this client need not wait as long.
          watcher.patienceMs = Math.min(watcher.patienceMs, shortPatienceMs);
          way = 'wait';
          continue;
        }
        if (stream === 'finished') {
          // The caller has had the last event.
          const run = await transport.json<Run>({ path, signal });
          if (isEnd(run)) return run;
          way = 'wait';
          continue;
        }
        watcher.patienceMs = timing.firstByteMs;
        emptyStreams += 1;
        for await (const event of readEvents(stream, timing.silenceMs, signal)) {
          failures = 0;
          emptyStreams = 0;
          cursor = event.id ?? cursor;
          // Events at one place have different names, or are the run in different stages.
          const next = event.event === 'run' ? toStage(event.data) : '';
          const key = `${event.id} ${event.event} ${next}`;
          if (seen.has(key) || (next !== '' && next === stage)) continue;
          if (event.id !== undefined) seen.add(key);
          stage = next || stage;
          yield event;
          if (event.event === 'run' && isEnd(event.data)) return event.data;
          signal?.throwIfAborted();
        }
        // The service ends streams after a while. One without an event is a failure, so as not to spin.
        if (emptyStreams > 0) throw new ConnectionError('The stream ended without an event');
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
      const hasChanged = toStage(run) !== stage;
      if (hasChanged) {
        stage = toStage(run);
        yield { event: 'run', data: run };
      }
      if (isEnd(run)) return run;
      // The service responds at once for a run that waits for outputs.
      if (waitS === 0 || run.status === 'requires_action') await pause(timing.pollMs, signal);
      // A long run: what held its stream back may have been a disturbance that is over.
      else if (!hasChanged) way = firstWay;
    } catch (error) {
      signal?.throwIfAborted();
      const delay = transport.retryDelay(error, failures);
      failures += 1;
      if (delay === undefined || failures > maxFailures) throw error;
      if (way === 'stream' && emptyStreams >= maxEmptyStreams) way = 'wait';
      else if (way === 'wait' && isCut(error)) way = 'poll';
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

/**
 * Opens a stream and reads its first bytes: a proxy may pass on the headers and hold back what follows.
 * @returns `none` if nothing arrives in time or what arrives is not a stream; `finished` if there is no event after the cursor.
 */
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
  const cancel = () => void reader.cancel().catch(() => undefined);
  let silent = false;
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
      ({ value: bytes } = await reader.read().finally(() => clearTimeout(timer)));
      if (silent) throw new ConnectionError('The stream was silent', { timedOut: true });
    }
  } catch (error) {
    throw error instanceof ConnectionError ? error : new ConnectionError('The stream broke');
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}
