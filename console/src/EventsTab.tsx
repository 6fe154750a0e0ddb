import type { Client, Run } from '@thread-run-service/client';
import { memo, useEffect, useRef, useState } from 'react';
import { CopyButton } from './CopyId.tsx';
import { ErrorNote } from './ErrorNote.tsx';
import { clock } from './format.ts';
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
      // The recorder sees them pass.
      for await (const _ of client.runs.follow(run.threadId, run.runId, { signal: leaving.current.signal }));
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
        {events.map((event) => (
          <EventRow key={event.id} event={event} />
        ))}
      </ol>
    </>
  );
}

/** Memoized, because a long reply has thousands. */
const EventRow = memo(({ event }: { readonly event: RawEvent }) => (
  <li>
    <details>
      <summary>
        <code className="event-name" data-event={event.event}>
          {event.event}
        </code>
        <span className="preview">{preview(event)}</span>
        <time dateTime={new Date(event.at).toISOString()}>{clock(event.at)}</time>
      </summary>
      <pre tabIndex={0}>{`id: ${event.id}\n${JSON.stringify(JSON.parse(event.data), null, 2)}`}</pre>
    </details>
  </li>
));

/** Returns the part of an event's data that tells it from the others. */
function preview({ event, data }: RawEvent): string {
  const { status, delta, step, messageId, change } = JSON.parse(data);
  if (event === 'run') return status;
  if (event === 'step') return `${step.type} ${change}`;
  return (delta ?? messageId ?? '').replaceAll('\n', '↵');
}
