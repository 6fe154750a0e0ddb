import type { Run } from '@thread-run-service/client';
import type { Exchange } from './exchange.ts';
import { createStore, type Store } from './store.ts';

/** An event as it arrived. */
export interface RawEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
  /** By the service's clock, as far as it is known; in milliseconds since the epoch. */
  readonly at: number;
}

/** What the page has exchanged with the service. */
export interface Recorder {
  readonly fetch: typeof fetch;
  /** Newest first. */
  readonly exchanges: Store<readonly Exchange[]>;
  /** In order of arrival, by run id. */
  readonly events: Store<Readonly<Record<string, readonly RawEvent[]>>>;
}

const maxExchanges = 100;

/** A difference between the clocks of page and service that is not corrected, in milliseconds. */
const toleratedMs = 2_000;

/** How long events may wait to be shown together, in milliseconds: a long reply has hundreds a second. */
const flushMs = 100;

/** Records requests and the events of runs as they pass, for the panel that shows them. */
export function createRecorder(): Recorder {
  const exchanges = createStore<readonly Exchange[]>([]);
  const events = createStore<Readonly<Record<string, readonly RawEvent[]>>>({});
  let count = 0;
  /** By how much the page's clock is fast, at most: a `Date` has whole seconds, and takes a while to arrive. */
  let fastMs = Infinity;
  const serviceNow = () => Date.now() - (Math.abs(fastMs) > toleratedMs ? fastMs : 0);

  const known = new Set<string>();
  let pending = new Map<string, RawEvent[]>();
  const flush = () => {
    const added = pending;
    pending = new Map();
    events.set((all) => {
      const runs = [...added].map(
        ([runId, arrived]) => [runId, [...(all[runId] ?? []), ...arrived]] as const,
      );
      return { ...all, ...Object.fromEntries(runs) };
    });
  };
  const addEvents = (runId: string, arrived: readonly RawEvent[]) => {
    for (const event of arrived) {
      // A stream that is opened anew begins with the first event. At one place, a run can be in several states.
      const state = event.event === 'run' ? (JSON.parse(event.data) as Run).status : '';
      const key = [runId, event.id, event.event, state].join(' ');
      if (known.has(key)) continue;
      known.add(key);
      if (pending.size === 0) setTimeout(flush, flushMs);
      const events = pending.get(runId) ?? [];
      events.push(event);
      pending.set(runId, events);
    }
  };

  const record = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
    headers.delete('Authorization');
    const key = ++count;
    const at = Date.now();
    const started = performance.now();
    const update = (facts: Partial<Exchange>) =>
      exchanges.set((all) => all.map((one) => (one.key === key ? { ...one, ...facts } : one)));
    const body = bodyOf(init?.body);
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET');
    const exchange = { key, method, url, headers: [...headers], at, ...(body !== undefined && { body }) };
    exchanges.set((all) => [exchange, ...all].slice(0, maxExchanges));
    try {
      const response = await fetch(input, init);
      const date = Date.parse(response.headers.get('Date') ?? '');
      if (!Number.isNaN(date)) fastMs = Math.min(fastMs, Date.now() - date);
      update({
        status: response.status,
        requestId: response.headers.get('X-Request-Id') ?? '',
        durationMs: performance.now() - started,
      });
      const runId = /\/runs\/(run_\w+)\/events/.exec(url)?.[1];
      if (runId === undefined || !response.body || !isEventStream(response)) return response;
      const passed = response.body.pipeThrough(observe(serviceNow, (arrived) => addEvents(runId, arrived)));
      return new Response(passed, response);
    } catch (error) {
      const ended = init?.signal?.aborted ? 'stopped' : 'failed';
      update({ ended, durationMs: performance.now() - started });
      throw error;
    }
  };
  return { fetch: record, exchanges, events };
}

const isEventStream = ({ headers }: Response): boolean =>
  headers.get('Content-Type')?.startsWith('text/event-stream') ?? false;

function bodyOf(body: BodyInit | null | undefined): Exchange['body'] {
  if (typeof body === 'string') return body;
  const file = body instanceof FormData ? body.get('file') : undefined;
  return file instanceof File ? { file: file.name } : undefined;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Passes a stream on unchanged, and calls back with the events in it. */
function observe(
  now: () => number,
  onEvents: (events: readonly RawEvent[]) => void,
): TransformStream<Bytes, Bytes> {
  const decoder = new TextDecoder();
  let rest = '';
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      const at = now();
      onEvents(blocks.flatMap((block) => toEvent(block, at)));
    },
  });
}

/** Reads one block of an event stream. A comment gives no event. */
function toEvent(block: string, at: number): RawEvent[] {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
  const [id = '', event, data] = [field('id'), field('event'), field('data')];
  return event === undefined || data === undefined ? [] : [{ id, event, data, at }];
}
