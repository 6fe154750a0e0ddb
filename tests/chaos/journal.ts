import type { RunBody } from '../../shared/http/runBody.ts';
import type { Member } from './cluster.ts';

/** An attempt to create a run. Attempts with the same key have the same message. */
export interface Creation {
  readonly projectId: string;
  readonly threadId: string;
  /** Unique text in the message. */
  readonly canary: string;
  readonly key: string | undefined;
  readonly member: Member;
  readonly startedAtMs: number;
  endedAtMs: number;
  /** Undefined without a response. */
  status?: number;
  runId?: string;
}

/** An attempt to submit outputs to a run. */
export interface Submission {
  readonly runId: string;
  readonly member: Member;
  /** Undefined without a response. */
  status?: number;
}

/** A run's reply as assembled from its events, by message. */
export interface Reading {
  readonly runPath: string;
  readonly runId: string;
  readonly texts: ReadonlyMap<string, string>;
  readonly connections: number;
}

/** A terminal run as seen by a client. */
export interface End {
  readonly status: string;
  readonly completedAt: string | null;
  readonly errorCode: string | undefined;
}

export interface ThreadSeen {
  readonly projectId: string;
  readonly threadId: string;
  /** Workers that received a deletion, and when. */
  readonly deletions: { readonly member: Member; readonly startedAtMs: number; endedAtMs?: number }[];
  /** Whether a deletion was confirmed. */
  deleted: boolean;
}

/** Observations of all clients; checks immediately what does not depend on later ones. */
export interface Journal {
  readonly threads: Map<string, ThreadSeen>;
  readonly creations: Creation[];
  readonly submissions: Submission[];
  readonly readings: Reading[];
  readonly ends: Map<string, End>;
  /** Paths of runs known to clients. */
  readonly runPaths: string[];
  readonly statuses: Map<string, number>;
  readonly violations: Set<string>;
  /** Counts a response, or a missing one. */
  count(outcome: string): void;
  /** Records a run in the response to a request that started at that time. */
  see(run: RunBody, askedAtMs: number): void;
}

const terminal = new Set(['completed', 'failed', 'expired', 'cancelled']);

export function createJournal(): Journal {
  const ends = new Map<string, End & { seenAtMs: number }>();
  const statuses = new Map<string, number>();
  const violations = new Set<string>();
  return {
    threads: new Map(),
    creations: [],
    submissions: [],
    readings: [],
    ends,
    runPaths: [],
    statuses,
    violations,
    count: (outcome) => void statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1),
    see({ runId, status, completedAt, errorCode }, askedAtMs) {
      const known = ends.get(runId);
      if (!terminal.has(status)) {
        if (known && askedAtMs > known.seenAtMs)
          violations.add(`${runId} is ${status} after it was ${known.status}`);
        return;
      }
      const end = { status, completedAt, errorCode };
      if (!known) ends.set(runId, { ...end, seenAtMs: Date.now() });
      else if (differ(known, end)) violations.add(`${runId} ended as ${show(known)} and as ${show(end)}`);
    },
  };
}

export const differ = (one: End, other: End): boolean =>
  one.status !== other.status || one.completedAt !== other.completedAt || one.errorCode !== other.errorCode;

export const show = ({ status, completedAt, errorCode = '' }: End): string =>
  `${status} ${completedAt} ${errorCode}`.trim();
