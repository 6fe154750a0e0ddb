import { AppError } from '../errors.ts';
import type { Run, RunKey } from '../model/run.ts';
import type { Stored } from '../model/stored.ts';
import type { RunServices } from './runServices.ts';

/**
 * Reads a run from the store, without asking the engine.
 * @throws {AppError} run_not_found, or thread_not_found when the thread is absent as well.
 */
export async function findRun(services: RunServices, runKey: RunKey): Promise<Stored<Run>> {
  const stored = await services.runs.find(runKey);
  if (stored) return stored;
  const thread = await services.threads.find(runKey);
  throw new AppError(thread ? 'run_not_found' : 'thread_not_found');
}
