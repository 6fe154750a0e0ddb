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
 * Looks after a run until it has ended, and after a deletion until it is done, whether or not a client asks.
 * What is unfinished is followed up by a new message; only a message that cannot be handled is left to the host, which
 * delivers it again and in the end moves it to the poison queue.
 */
async function followUp(message: unknown, invocation: InvocationContext): Promise<void> {
  const startedAt = performance.now();
  let failure: unknown;
  try {
    const parsed = parseFollowUp(message);
    if (!parsed) throw new Error('the message is not a follow-up');
    const context = openContext(invocation);
    if (parsed.kind === 'run') await followUpRun(context, parsed);
    else await followUpDeletion(context, parsed);
  } catch (error) {
    failure = error;
    // The host logs what is thrown, and a message may quote what people wrote.
    throw new Error('the follow-up failed');
  } finally {
    logFollowUp(invocation, performance.now() - startedAt, failure);
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
    // An overdue run ends whatever the engine says, so every known failure passes.
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
    // A fault of ours does not pass by itself: somebody has to see it.
    if (!(error instanceof AppError) || error.code === 'internal_error') throw error;
    logPostponed(context, followUp, error);
  }
  await sendNext(context, followUp);
}

/** @throws {AppError} unavailable when the queue does not take it: the host then delivers this message again. */
async function sendNext(context: ServiceContext, followUp: FollowUp, deadline?: Date): Promise<void> {
  const next = { ...followUp, attempt: followUp.attempt + 1 };
  if (!(await scheduleFollowUp(context, next, deadline))) throw new AppError('unavailable');
}

const logPostponed = ({ log }: ServiceContext, followUp: FollowUp, error: AppError) =>
  log({ event: 'follow_up_postponed', ...followUp, ...describeFailure(error) });

function logFollowUp(invocation: InvocationContext, durationMs: number, failure: unknown): void {
  const line = JSON.stringify({
    function: invocation.functionName,
    requestId: invocation.invocationId,
    dequeueCount: invocation.triggerMetadata?.['dequeueCount'],
    durationMs: Math.round(durationMs),
    ...(failure !== undefined && describeFailure(failure)),
  });
  if (failure === undefined) invocation.log(line);
  else invocation.error(line);
}

app.storageQueue('followUp', {
  queueName: followUpQueueName,
  // The setting, or its name with `__queueServiceUri`, `__credential` and `__clientId` behind it.
  connection: 'AzureWebJobsStorage',
  handler: followUp,
});
