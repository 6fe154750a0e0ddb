import type { Client, Run } from '@thread-run-service/client';
import { ErrorNote } from './ErrorNote.tsx';
import { EventsTab } from './EventsTab.tsx';
import { stamp } from './format.ts';
import { RequestsTab } from './RequestsTab.tsx';
import type { Recorder } from './recorder.ts';
import { StatusBadge } from './StatusBadge.tsx';
import { useStore } from './store.ts';
import { Tabs } from './Tabs.tsx';
import { TimelineTab } from './TimelineTab.tsx';
import { statusLabels } from './timeline.ts';
import { useRunDetails } from './useRunDetails.ts';

interface Props {
  readonly client: Client;
  readonly recorder: Recorder;
  readonly threadId: string | undefined;
  readonly runId: string | undefined;
  /** The runs are read again when it changes. */
  readonly readings: number;
  readonly onShowRun: (runId: string) => void;
}

/** A run of the open thread: its timeline, its events, and the requests of the page. */
export function RunPanel({ client, recorder, threadId, runId, readings, onShowRun }: Props) {
  const received = useStore(recorder.events);
  const exchanges = useStore(recorder.exchanges);
  const details = useRunDetails(client, threadId, runId, received, readings);
  const { run, runs, steps, events, error, reload } = details;
  const empty = (
    <p className="empty">{threadId ? 'This thread has no run yet.' : 'Runs show here as they happen.'}</p>
  );
  const withRun = (show: (run: Run) => React.ReactNode) => (run ? show(run) : !details.isLoading && empty);
  return (
    <section className="run-panel" aria-labelledby="run-title">
      <header>
        <h2 id="run-title">Run</h2>
        {run && <StatusBadge status={run.status} />}
        <span className="spacer" />
        {runs.length > 1 && run && (
          <select
            aria-label="Run to show"
            value={run.runId}
            onChange={(event) => onShowRun(event.target.value)}
          >
            {runs.map((one) => (
              <option key={one.runId} value={one.runId}>
                {/* The list may be older than the events. */}
                {`${stamp(one.createdAt)} · ${statusLabels[(one.runId === run.runId ? run : one).status]}`}
              </option>
            ))}
          </select>
        )}
      </header>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      <Tabs
        label="Run"
        tabs={[
          {
            name: 'Timeline',
            content: () => withRun((shown) => <TimelineTab run={shown} events={events} steps={steps} />),
          },
          {
            name: 'Events',
            content: () => withRun((shown) => <EventsTab client={client} run={shown} events={events} />),
          },
          { name: 'Requests', content: () => <RequestsTab exchanges={exchanges} /> },
        ]}
      />
    </section>
  );
}
