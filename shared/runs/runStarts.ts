import { createCache } from '../cache.ts';
import type { Run, RunKey } from '../model/run.ts';

/**
 * When runs were first seen in progress. A create's stream tells before anybody asks; recording that at once would cost
 * a round trip for every run, so the worker remembers it for the next save.
 */
export interface RunStarts {
  remember(run: Run, at: Date): void;
  find(run: Run): Date | undefined;
}

/** Maximum number of remembered starts. */
const startLimit = 10_000;

const keyOf = ({ projectId, threadId, runId }: RunKey) => `${projectId}:${threadId}:${runId}`;

export function createRunStarts(): RunStarts {
  const starts = createCache<Date>(startLimit);
  return {
    remember: (run, at) => starts.set(keyOf(run), at, run.expiresAt.getTime()),
    find: (run) => starts.get(keyOf(run)),
  };
}
