import { AppError } from '../http/errors.ts';
import type { Run } from './run.ts';
import { type RunServices, settle } from './settle.ts';

/**
 * A run as it stands now; see {@link settle}.
 * @throws {AppError} run_not_found, or thread_not_found when the thread is absent as well.
 */
export async function findRun(
  services: RunServices,
  projectId: string,
  threadId: string,
  runId: string,
): Promise<Run> {
  const stored = await services.runs.findRun(projectId, threadId, runId);
  if (stored) return (await settle(services, stored)).value;
  const thread = await services.runs.findThread(projectId, threadId);
  throw new AppError(thread ? 'run_not_found' : 'thread_not_found');
}
