import type { Client, Run } from '@thread-run-service/client';
import { memo, useEffect, useRef, useState } from 'react';
import { CopyButton } from './CopyId.tsx';
import { ErrorNote } from './ErrorNote.tsx';
import { clock, number } from './format.ts';
import type { RawEvent } from './recorder.ts';
import { isTerminal } from './timeline.ts';

interface Props {
  readonly client: Client;
  readonly run: Run;
  readonly events: readonly RawEvent[];
}

/** The events of the run as they came over the line. */
export function EventsTab({ client, run, events }: Props) {
  const [isLoading, setLoading] = useState(false);
  const [error, setError] = useState<unknown>();
  const leaving = useRef(new AbortController());
  useEffect(() => {
    leaving.current = new AbortController();
    return () => leaving.current.abort();
  }, []);
  const load = async () => {
    setLoading(true);
    setError(undefined);
    try {
      // Of a run that has ended, the events from the beginning are those after the first one. The recorder sees them pass.
      const options = { signal: leaving.current.signal, lastEventId: '0' };
      for await (const _ of client.runs.follow(run.threadId, run.runId, options));
    } catch (failure) {
      setError(failure);
    } finally {
      setLoading(false);
    }
  };
  if (events.length === 0) {
    return (
      <div className="empty">
        <p>This page has not received the events of this run.</p>
        {error !== undefined && <ErrorNote error={error} />}
        {isTerminal(run) && (
          <button type="button" aria-disabled={isLoading} onClick={() => void (isLoading || load())}>
            {isLoading ? 'Reading…' : 'Read them'}
          </button>
        )}
      </div>
    );
  }
  const toText = () =>
    events.map(({ id, event, data }) => `id: ${id}\nevent: ${event}\ndata: ${data}\n`).join('\n');
  return (
    <>
      <div className="tab-actions">
        <span className="muted">{events.length === 1 ? '1 event' : `${events.length} events`}</span>
        <CopyButton text={toText} label="Copy all" />
      </div>
      <ol className="events">
        {toRows(events).map((row, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: events are added at the end only.
          <EventRow key={index} {...row} />
        ))}
      </ol>
    </>
  );
}

/** An event, or the pieces of a text that follow each other, of which a long reply has thousands. */
interface Row {
  readonly first: RawEvent;
  count: number;
  /** The first ones. */
  readonly shown: RawEvent[];
}

/** Pieces of a text that a row shows. */
const maxShown = 100;

function toRows(events: readonly RawEvent[]): readonly Row[] {
  const rows: Row[] = [];
  for (const event of events) {
    const last = rows.at(-1);
    if (!last || last.first.event !== event.event || !event.event.endsWith('.delta')) {
      rows.push({ first: event, count: 1, shown: [event] });
      continue;
    }
    last.count += 1;
    if (last.shown.length < maxShown) last.shown.push(event);
  }
  return rows;
}

const EventRow = memo(
  ({ first, count, shown }: Row) => (
    <li>
      <details>
        <summary>
          <code className="event-name" data-event={first.event}>
            {first.event}
          </code>
          {count > 1 && <span className="muted">×{number(count)}</span>}
          <span className="preview">{preview(first)}</span>
          <time dateTime={new Date(first.at).toISOString()}>{clock(first.at)}</time>
        </summary>
        <pre tabIndex={0}>
          {shown
            .map(({ id, data }) => `id: ${id}\n${JSON.stringify(JSON.parse(data), null, 2)}`)
            .join('\n\n')}
        </pre>
        {count > maxShown && <p className="muted">The first {maxShown}. “Copy all” copies all of them.</p>}
      </details>
    </li>
  ),
  (before, after) => before.first === after.first && before.count === after.count,
);

/** Returns the part of an event's data that tells it from the others. */
function preview({ event, data }: RawEvent): string {
  const { status, delta, step, messageId, change } = JSON.parse(data);
  if (event === 'run') return status;
  if (event === 'step') return `${step.type} ${change}`;
  return (delta ?? messageId ?? '').replaceAll('\n', '↵');
}
