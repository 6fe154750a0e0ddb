import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../http/errors.ts';
import type { Stored } from '../storage/rows.ts';
import type { Run } from './run.ts';
import { type RunServices, record, settle } from './settle.ts';
import { deadline as deadlineOf, isFinished, type Observation, observe } from './state.ts';

/** Between two looks at the record of a run that another request is just handing over to the engine. */
const handOverLookMs = 250;

/**
 * The run as soon as its status differs from the one given, or when the time is up.
 * While it waits it asks the store for nothing and the engine for one stream, shared with others who wait.
 * @param signal of a client that goes away.
 * @throws {AppError} as {@link settle} does, when the time is up and the engine or the store cannot tell.
 */
export async function waitForNews(
  services: RunServices,
  stored: Stored<Run>,
  waitMs: number,
  signal?: AbortSignal,
): Promise<Stored<Run>> {
  const run = stored.value;
  const leftMs = Math.min(waitMs, deadlineOf(run).getTime() - Date.now());
  if (signal?.aborted) return stored;
  if (isFinished(run) || leftMs <= 0) return settle(services, stored);
  if (run.responseId === undefined) {
    await sleep(Math.min(handOverLookMs, leftMs));
    const current = await services.runs.find(run.projectId, run.threadId, run.runId);
    if (!current) throw new AppError('run_not_found');
    if (current.value.status !== run.status) return current;
    return waitForNews(services, current, waitMs - handOverLookMs, signal);
  }
  const isNews = (seen: Observation) => observe(run, seen, new Date()) !== run;
  const seen = await services.watch(run.responseId, isNews, leftMs, signal);
  if (seen) return record(services, stored, observe(run, seen, new Date()));
  // For a client that has gone nobody has to be asked.
  return signal?.aborted ? stored : settle(services, stored);
}
