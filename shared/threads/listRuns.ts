import { hasPair } from '../model/metadata.ts';
import type { Page } from '../model/page.ts';
import type { Run, RunStatus } from '../model/run.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { RunServices } from '../runs/runServices.ts';
import type { RunPageRequest } from '../storage/runStore.ts';
import { findCurrentThread } from './threads.ts';

/** Only the active run of a thread has one of these. */
const activeStatuses: ReadonlySet<RunStatus> = new Set(['queued', 'in_progress', 'requires_action']);

/**
 * Returns a page of a thread's runs, newest first. First refreshes the active run, the only one that is not terminal.
 * @throws {AppError} thread_not_found, rate_limited, unavailable, internal_error.
 */
export async function listRuns(
  services: RunServices,
  threadKey: ThreadKey,
  page: RunPageRequest,
): Promise<Page<Run>> {
  const { activeRun } = await findCurrentThread(services, threadKey);
  const { after, status, metadata } = page;
  if (status === undefined || !activeStatuses.has(status)) return services.runs.list(threadKey, page);
  const listed =
    activeRun?.status === status &&
    (after === undefined || activeRun.runId > after) &&
    (!metadata || hasPair(activeRun.metadata, metadata));
  return { items: listed ? [activeRun] : [], hasMore: false, lastId: listed ? activeRun.runId : undefined };
}
