import { describeFailure } from '../failures.ts';
import type { FollowUp } from '../model/followUp.ts';
import type { Run } from '../model/run.ts';
import type { RunServices } from './runServices.ts';

/** Delay of the first follow-up; each further one waits twice as long as the one before. */
const firstDelaySeconds = 30;

/** Longest delay between two follow-ups. */
const longestDelaySeconds = { run: 600, deletion: 3_600 } as const;

/** How long a request that has done its work waits for its follow-up to be sent, in milliseconds. */
export const followUpWaitMs = 200;

/** The first follow-up of a run. */
export const toFollowUp = ({ projectId, threadId, runId }: Run): FollowUp => ({
  kind: 'run',
  projectId,
  threadId,
  runId,
  attempt: 0,
});

/**
 * Sends a follow-up with the delay that its attempt calls for. Never throws: whoever is served now does not fail
 * because of what is only needed when nobody asks again. A failure is logged as `follow_up_not_sent`, which an alert
 * counts.
 * @param deadline of the run: the follow-up comes just after it at the latest, unless it has passed.
 * @returns whether the queue has confirmed it.
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

/** Seconds until a follow-up is delivered. @param deadline see {@link scheduleFollowUp}. */
export function delaySeconds(
  { kind, attempt }: Pick<FollowUp, 'kind' | 'attempt'>,
  deadline: Date | undefined,
  now: Date,
): number {
  const growing = Math.min(firstDelaySeconds * 2 ** attempt, longestDelaySeconds[kind]);
  const leftMs = (deadline?.getTime() ?? Number.NaN) - now.getTime();
  // One second more: rounding and the clocks of two workers must not make it come too early.
  return leftMs >= 0 ? Math.min(growing, Math.ceil(leftMs / 1000) + 1) : growing;
}
