import { app, type InvocationContext } from '@azure/functions';
import { AppError } from '../shared/errors.ts';
import { describeFailure } from '../shared/failures.ts';
import { openContext, type ServiceContext } from '../shared/invocation.ts';
import {
  type DeletionFollowUp,
  type FollowUp,
  parseFollowUp,
  type RunFollowUp,
} from '../shared/model/followUp.ts';
import type { Run } from '../shared/model/run.ts';
import { isTerminal, runDeadline } from '../shared/model/runState.ts';
import { scheduleFollowUp } from '../shared/runs/followUps.ts';
import { refreshRun } from '../shared/runs/refreshRun.ts';
import { followUpQueueName } from '../shared/storage/followUpQueue.ts';
import { resumeDeletion } from '../shared/threads/deleteThread.ts';

/**
 * Makes sure that a run ends or a deletion completes even if no client returns. While unfinished, sends another
 * follow-up. Throws only for a message that cannot be handled, so that the host delivers it again and finally moves it
 * to the poison queue.
 */
async function followUp(message: unknown, invocation: InvocationContext): Promise<void> {
  const startedAt = performance.now();
  let failure: unknown;
  const parsed = parseFollowUp(message);
  try {
    if (!parsed) throw new Error('the message is not a follow-up');
    const context = openContext(invocation);
    if (parsed.kind === 'run') await followUpRun(context, parsed);
    else await followUpDeletion(context, parsed);
  } catch (error) {
    failure = error;
    // The host logs the error, and the original message may contain user content.
    throw new Error('the follow-up failed');
  } finally {
    logFollowUp(invocation, parsed, performance.now() - startedAt, failure);
  }
}

async function followUpRun(context: ServiceContext, followUp: RunFollowUp): Promise<void> {
  let run: Run | undefined;
  try {
    const stored = await context.runs.find(followUp);
    if (!stored) return;
    run = stored.value;
    run = (await refreshRun(context, stored)).value;
    if (isTerminal(run)) return;
  } catch (error) {
    // Known failures are temporary: an overdue run expires even if the engine fails.
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'run_not_found') return;
    logPostponed(context, followUp, error);
  }
  await sendNext(context, followUp, run && runDeadline(run));
}

async function followUpDeletion(context: ServiceContext, followUp: DeletionFollowUp): Promise<void> {
  try {
    await resumeDeletion(context, followUp);
    return;
  } catch (error) {
    // A bug is not temporary: leave the message to the poison queue, which has an alert.
    if (!(error instanceof AppError) || error.code === 'internal_error') throw error;
    logPostponed(context, followUp, error);
  }
  await sendNext(context, followUp);
}

/** Sends the next follow-up. @throws {AppError} unavailable when that fails, so that the host redelivers this one. */
async function sendNext(context: ServiceContext, followUp: FollowUp, deadline?: Date): Promise<void> {
  const next = { ...followUp, attempt: followUp.attempt + 1 };
  if (!(await scheduleFollowUp(context, next, deadline))) throw new AppError('unavailable');
}

const logPostponed = ({ log }: ServiceContext, followUp: FollowUp, error: AppError) =>
  log({ event: 'follow_up_postponed', ...followUp, ...describeFailure(error) });

function logFollowUp(
  invocation: InvocationContext,
  followUp: FollowUp | undefined,
  durationMs: number,
  failure: unknown,
): void {
  const line = JSON.stringify({
    function: invocation.functionName,
    requestId: invocation.invocationId,
    ...followUp,
    dequeueCount: invocation.triggerMetadata?.['dequeueCount'],
    durationMs: Math.round(durationMs),
    ...(failure !== undefined && describeFailure(failure)),
  });
  if (failure === undefined) invocation.log(line);
  else invocation.error(line);
}

app.storageQueue('followUp', {
  queueName: followUpQueueName,
  // The name of a setting, or the prefix of `__queueServiceUri`, `__credential` and `__clientId`.
  connection: 'AzureWebJobsStorage',
  handler: followUp,
});
