import type { Client, Run, Step } from '@thread-run-service/client';
import { useCallback, useEffect, useState } from 'react';
import type { RawEvent } from './recorder.ts';
import { isTerminal } from './timeline.ts';

export interface RunDetails {
  /** The run to show: the chosen one, else the newest of the thread. */
  readonly run: Run | undefined;
  /** The newest runs of the thread. */
  readonly runs: readonly Run[];
  /** Known after the run has ended. */
  readonly steps: readonly Step[];
  /** The run's events that this page has received. */
  readonly events: readonly RawEvent[];
  readonly error: unknown;
  reload(): void;
}

const none: readonly RawEvent[] = [];

/** Reads a thread's runs, and what one of them did. A run under way is known from its events. */
export function useRunDetails(
  client: Client,
  threadId: string | undefined,
  runId: string | undefined,
  received: Readonly<Record<string, readonly RawEvent[]>>,
): RunDetails {
  const [runs, setRuns] = useState<readonly Run[]>([]);
  const [steps, setSteps] = useState<readonly [string, readonly Step[]]>();
  const [error, setError] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  const own = runs.filter((run) => run.threadId === threadId);
  const shownId = runId ?? own[0]?.runId;
  const events = received[shownId ?? ''] ?? none;
  const latest = latestRun(events);
  const hasEnded = latest !== undefined && isTerminal(latest);

  // Again when a run is new to this page, or has ended.
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are reasons, not inputs.
  useEffect(() => {
    if (threadId === undefined) return setRuns([]);
    const controller = new AbortController();
    client.runs.list(threadId, { limit: 30 }, { signal: controller.signal }).then(
      (page) => {
        setRuns(page.runs);
        setError(undefined);
      },
      (failure) => !controller.signal.aborted && setError(failure),
    );
    return () => controller.abort();
  }, [client, threadId, runId, hasEnded, attempt]);

  const listed = own.find((run) => run.runId === shownId);
  // The list may be older than the events, or newer when those have been lost.
  const run = latest && (!listed || !isTerminal(listed)) ? latest : (listed ?? latest);
  const ended = run && isTerminal(run) ? run.runId : undefined;
  useEffect(() => {
    if (threadId === undefined || ended === undefined) return;
    const controller = new AbortController();
    client.runs.steps(threadId, ended, { signal: controller.signal }).then(
      (list) => setSteps([ended, list.steps]),
      // The engine keeps steps for a while only; the rest of the timeline does without.
      () => undefined,
    );
    return () => controller.abort();
  }, [client, threadId, ended]);

  const reload = useCallback(() => setAttempt((count) => count + 1), []);
  return { run, runs: own, steps: steps && steps[0] === run?.runId ? steps[1] : [], events, error, reload };
}

function latestRun(events: readonly RawEvent[]): Run | undefined {
  const last = events.findLast(({ event }) => event === 'run');
  return last && (JSON.parse(last.data) as Run);
}
