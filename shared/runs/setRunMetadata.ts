import { AppError } from '../errors.ts';
import type { Metadata } from '../model/metadata.ts';
import type { Run, RunKey } from '../model/run.ts';
import { findRun } from './findRun.ts';
import type { RunServices } from './runServices.ts';

/**
 * Replaces a run's metadata, whatever the run's status. Does not ask the engine.
 * @throws {AppError} as {@link findRun}; unavailable.
 */
export async function setRunMetadata(
  services: RunServices,
  runKey: RunKey,
  metadata: Metadata,
): Promise<Run> {
  await findRun(services, runKey);
  const stored = await services.runs.setMetadata(runKey, metadata);
  // A run is only ever removed with its thread.
  if (!stored) throw new AppError('thread_not_found');
  services.liveRuns.feeds.recorded(stored);
  return { ...stored.value, metadata };
}
