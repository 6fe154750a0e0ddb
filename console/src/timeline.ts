import type { Run, RunStatus, Step } from '@thread-run-service/client';
import type { RawEvent } from './recorder.ts';

/** Something that happened in a run. */
export interface Moment {
  readonly key: string;
  readonly kind: 'status' | 'step' | 'text' | 'round';
  readonly label: string;
  /** Milliseconds since the epoch; undefined where nobody knows, as for steps of past runs. */
  readonly at?: number;
  readonly tone?: Tone;
  readonly step?: Step;
}

export type Tone = 'neutral' | 'active' | 'success' | 'warning' | 'danger';

export const statusLabels: Readonly<Record<RunStatus, string>> = {
  queued: 'Queued',
  in_progress: 'In progress',
  requires_action: 'Requires action',
  completed: 'Completed',
  failed: 'Failed',
  expired: 'Expired',
  cancelled: 'Cancelled',
};

export const statusTones: Readonly<Record<RunStatus, Tone>> = {
  queued: 'neutral',
  in_progress: 'active',
  requires_action: 'warning',
  completed: 'success',
  failed: 'danger',
  expired: 'danger',
  cancelled: 'neutral',
};

export const isTerminal = ({ status }: Pick<Run, 'status'>): boolean =>
  ['completed', 'failed', 'expired', 'cancelled'].includes(status);

/**
 * Tells what happened in a run, in order: from its events if the page has them, which have the times and what was
 * first; else from the run and its steps.
 */
export function toTimeline(run: Run, events: readonly RawEvent[], steps: readonly Step[]): readonly Moment[] {
  const moments = events.length > 0 ? fromEvents(run, events, steps) : fromRun(run, steps);
  // Two clocks are involved; nothing happens before what led to it.
  let latest = 0;
  return moments.map((moment) => {
    if (moment.at === undefined) return moment;
    latest = Math.max(latest, moment.at);
    return { ...moment, at: latest };
  });
}

function fromEvents(run: Run, events: readonly RawEvent[], steps: readonly Step[]): Moment[] {
  const moments: Moment[] = [];
  const known = new Map(steps.map((step) => [step.stepId, step]));
  const seen = new Set<string>();
  let round = 1;
  let hasText = false;
  let before: RunStatus | undefined;
  // Events that were read after the end say nothing about when it happened.
  const end = run.completedAt === null ? Infinity : Date.parse(run.completedAt) + 1000;
  for (const { id, event, data, at: arrival } of events) {
    const at = arrival <= end ? { at: arrival } : {};
    if (event === 'run') {
      const next = JSON.parse(data) as Run;
      if (next.status === before) continue;
      if (before === 'requires_action' && !isTerminal(next)) {
        round += 1;
        hasText = false;
        moments.push({ key: `round-${round}`, kind: 'round', label: `Round ${round}` });
      }
      moments.push({ ...toMoment(next, `${id}`), ...at, ...timeOf(next, round) });
      before = next.status;
    } else if (event === 'step') {
      const { step } = JSON.parse(data) as { step: Step };
      const latest = known.get(step.stepId) ?? step;
      if (seen.has(step.stepId)) {
        const index = moments.findIndex(({ key }) => key === step.stepId);
        const former = moments[index];
        if (former && !known.has(step.stepId)) moments[index] = { ...former, step };
        continue;
      }
      seen.add(step.stepId);
      moments.push({ key: step.stepId, kind: 'step', label: stepLabel(latest), step: latest, ...at });
    } else if (event.endsWith('.delta') && !hasText) {
      hasText = true;
      moments.push({ key: `text-${round}`, kind: 'text', label: textLabels[event] ?? 'First text', ...at });
    }
  }
  // The stream may have ended before the run did.
  if (before !== run.status) moments.push({ ...toMoment(run, 'now'), ...timeOf(run, round) });
  return moments;
}

const textLabels: Readonly<Record<string, string>> = {
  'commentary.delta': 'First commentary',
  'refusal.delta': 'Refusal',
};

function fromRun(run: Run, steps: readonly Step[]): Moment[] {
  const moments: Moment[] = [
    {
      key: 'queued',
      kind: 'status',
      label: statusLabels.queued,
      at: Date.parse(run.createdAt),
      tone: 'neutral',
    },
  ];
  if (run.startedAt !== null) {
    const at = Date.parse(run.startedAt);
    moments.push({ key: 'started', kind: 'status', label: statusLabels.in_progress, at, tone: 'active' });
  }
  let round = 1;
  let former: string | null | undefined;
  for (const step of steps) {
    if (step.type === 'message') continue;
    // The engine has times of rounds only.
    if (former !== undefined && step.startedAt !== former) {
      round += 1;
      moments.push({ key: `round-${round}`, kind: 'round', label: `Round ${round}` });
    }
    former = step.startedAt;
    moments.push({ key: step.stepId, kind: 'step', label: stepLabel(step), step });
  }
  if (!['queued', 'in_progress'].includes(run.status))
    moments.push({ ...toMoment(run, 'end'), ...timeOf(run, 1) });
  return moments;
}

const toMoment = ({ status }: Run, key: string): Moment => ({
  key: `${status}-${key}`,
  kind: 'status',
  label: statusLabels[status],
  tone: statusTones[status],
});

/** Returns the service's own time of a status, where it has one. */
function timeOf(run: Run, round: number): { at?: number } {
  const time = isTerminal(run)
    ? run.completedAt
    : round > 1
      ? null
      : run.status === 'queued'
        ? run.createdAt
        : run.status === 'in_progress'
          ? run.startedAt
          : null;
  return time ? { at: Date.parse(time) } : {};
}

const stepLabels: Readonly<Record<Step['type'], string>> = {
  message: 'Message',
  file_search: 'File search',
  web_search: 'Web search',
  code_interpreter: 'Code interpreter',
  function: 'Function call',
  mcp_approval: 'Approval',
  mcp_call: 'Tool of a server',
  mcp_list_tools: 'Tools of a server',
};

const stepLabel = ({ type }: Step): string => stepLabels[type] ?? type;
