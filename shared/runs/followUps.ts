import { describeFailure } from '../failures.ts';
import type { FollowUp } from '../model/followUp.ts';
import type { Run } from '../model/run.ts';
import type { RunServices } from './runServices.ts';

/** Delay of the first follow-up; it doubles with every attempt. */
const firstDelaySeconds = 30;

/** Maximum delay between two follow-ups, in seconds. */
const longestDelaySeconds = { run: 600, deletion: 3_600 } as const;

/** Maximum time a finished request waits for its follow-up to be sent, in milliseconds. */
export const followUpWaitMs = 200;

/** Returns the first follow-up of a run. */
export const toFollowUp = ({ projectId, threadId, runId }: Run): FollowUp => ({
  kind: 'run',
  projectId,
  threadId,
  runId,
  attempt: 0,
});

/**
 * Sends a follow-up, delayed according to its attempt. Never throws, because a follow-up matters only if no client reads
 * the run again and must not fail the current request. Failures are logged as `follow_up_not_sent`, which has an alert.
 * @param deadline of the run. The follow-up is delivered just after it at the latest, unless it has passed.
 * @returns whether the queue confirmed the message.
 */
export async function scheduleFollowUp(
  { followUps, log }: Pick<RunServices, 'followUps' | 'log'>,
  followUp: FollowUp,
  deadline?: Date,
): Promise<boolean> {
  try {
    await followUps.send(followUp, delaySeconds(followUp, deadline, new Date()));
    return true;
  } catch (error) {
    log({ event: 'follow_up_not_sent', ...followUp, ...describeFailure(error) });
    return false;
  }
}

/** Returns the delay of a follow-up, in seconds. @param deadline as for {@link scheduleFollowUp}. */
export function delaySeconds(
  { kind, attempt }: Pick<FollowUp, 'kind' | 'attempt'>,
  deadline: Date | undefined,
  now: Date,
): number {
  const growing = Math.min(firstDelaySeconds * 2 ** attempt, longestDelaySeconds[kind]);
  const leftMs = (deadline?.getTime() ?? Number.NaN) - now.getTime();
  // One extra second covers rounding and clock skew between workers: too early would be useless.
  return leftMs >= 0 ? Math.min(growing, Math.ceil(leftMs / 1000) + 1) : growing;
}
