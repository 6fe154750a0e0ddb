import type { TimedStep } from '../runs/listSteps.ts';

/** Returns a step for a response body. */
export const toStepBody = ({ step, startedAt, endedAt }: TimedStep) => ({
  ...step,
  startedAt: startedAt?.toISOString() ?? null,
  completedAt: endedAt?.toISOString() ?? null,
});
