import type { RunBody } from '../../shared/http/runBody.ts';
import type { Member } from './cluster.ts';

/** One attempt to create a run. Attempts with the same key repeat the same message. */
export interface Creation {
  readonly projectId: string;
  readonly threadId: string;
  /** In the message, and in no other one. */
  readonly canary: string;
  readonly key: string | undefined;
  readonly member: Member;
  readonly startedAtMs: number;
  endedAtMs: number;
  /** Absent when no response came. */
  status?: number;
  runId?: string;
}

/** A run's reply as an events client put it together, by message. */
export interface Reading {
  readonly runPath: string;
  readonly runId: string;
  readonly texts: ReadonlyMap<string, string>;
  readonly connections: number;
}

/** What a client saw as the end of a run. */
export interface End {
  readonly status: string;
  readonly completedAt: string | null;
  readonly errorCode: string | undefined;
}

export interface ThreadSeen {
  readonly projectId: string;
  readonly threadId: string;
  /** Who was asked to delete it, and when. */
  readonly deletions: { readonly member: Member; readonly startedAtMs: number; endedAtMs?: number }[];
  /** Whether a deletion was confirmed. */
  deleted: boolean;
}

/** What all clients of a run saw together; checks what can be checked at once. */
export interface Journal {
  readonly threads: Map<string, ThreadSeen>;
  readonly creations: Creation[];
  readonly readings: Reading[];
  readonly ends: Map<string, End>;
  /** Paths of runs that somebody was told of. */
  readonly runPaths: string[];
  readonly statuses: Map<string, number>;
  readonly violations: Set<string>;
  /** Counts a response, or that none came. */
  count(outcome: string): void;
  /** Takes note of a run in a response to a request that began at that time. */
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
