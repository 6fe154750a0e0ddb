import { AppError } from '../http/errors.ts';
import type { Stored } from '../storage/rows.ts';
import type { Run } from './run.ts';
import { type RunServices, record } from './settle.ts';
import { isFinished, observe } from './state.ts';

const cancelMs = 10_000;

/**
 * Cancels an unfinished run in the engine and records it; its thread is free then.
 * A run that is just being handed over is recorded first, and stopped by the request that hands it over.
 * @throws {AppError} run_finished when it ended before; rate_limited, unavailable or internal_error when the engine
 * or the store cannot tell, and the run is untouched then.
 */
export async function cancel(services: RunServices, stored: Stored<Run>): Promise<Run> {
  const run = stored.value;
  if (isFinished(run)) throw new AppError('run_finished');
  const { responseId } = run;
  const seen =
    responseId === undefined
      ? ({ status: 'cancelled' } as const)
      : await services.engine.cancel(responseId, services.deadline.within(cancelMs));
  // The engine may take a moment to stop; it has agreed to, and what is recorded is final.
  const agreed = seen.status === 'queued' || seen.status === 'in_progress';
  const next = observe(run, agreed ? { status: 'cancelled' } : seen, new Date());
  const { value: ended } = await record(services, stored, next);
  if (ended.status !== 'cancelled') throw new AppError('run_finished');
  return ended;
}
