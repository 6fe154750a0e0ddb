import type { Client, Run, Step } from '@thread-run-service/client';
import { useCallback, useEffect, useState } from 'react';
import type { RawEvent } from './recorder.ts';
import { isTerminal } from './timeline.ts';

export interface RunDetails {
  /** The run to show: the chosen one, else the newest of the thread. */
  readonly run: Run | undefined;
  /** Whether the run, or that there is none, is not known yet. */
  readonly isLoading: boolean;
  /** The newest runs of the thread, and the one to show. */
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
  readings: number,
): RunDetails {
  const [runs, setRuns] = useState<readonly Run[]>([]);
  const [steps, setSteps] = useState<readonly [string, readonly Step[]]>();
  const [error, setError] = useState<unknown>();
  const [readThread, setReadThread] = useState<string>();
  const [older, setOlder] = useState<Run>();
  const [attempt, setAttempt] = useState(0);
  const own = runs.filter((run) => run.threadId === threadId);
  const shownId = runId ?? own[0]?.runId;
  const events = received[shownId ?? ''] ?? none;
  const latest = latestRun(events);

  // Again when a run is new to this page, when its status changes, because its events may not pass, and when there may be
  // one that this page does not know.
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are reasons, not inputs.
  useEffect(() => {
    if (threadId === undefined) return setRuns([]);
    const controller = new AbortController();
    const { signal } = controller;
    const read = async () => {
      const page = await client.runs.list(threadId, { limit: 30 }, { signal });
      setRuns(page.runs);
      setReadThread(threadId);
      setError(undefined);
      const isListed = runId === undefined || page.runs.some((run) => run.runId === runId);
      if (!isListed) setOlder(await client.runs.get(threadId, runId, { signal }));
    };
    read().catch((failure) => !signal.aborted && setError(failure));
    return () => controller.abort();
  }, [client, threadId, runId, readings, attempt]);

  const listed = [...own, older].find((run) => run?.runId === shownId);
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
  const isOlder = run !== undefined && run === older && !own.includes(run);
  const isAbsent = threadId === undefined || (shownId === undefined && readThread === threadId);
  return {
    run,
    isLoading: run === undefined && !isAbsent,
    runs: isOlder ? [...own, run] : own,
    steps: steps && steps[0] === run?.runId ? steps[1] : [],
    events,
    error,
    reload,
  };
}

function latestRun(events: readonly RawEvent[]): Run | undefined {
  const last = events.findLast(({ event }) => event === 'run');
  return last && (JSON.parse(last.data) as Run);
}
