import { AppError } from '../http/errors.ts';
import type { Stored } from '../storage/rows.ts';
import type { Run } from './run.ts';
import { type RunServices, record } from './settle.ts';
import { isFinished, type Observation, observe } from './state.ts';

const cancelMs = 10_000;

/** Others may write the run meanwhile: the request that hands it over, and those who watch it. */
const maxTries = 5;

/**
 * Cancels an unfinished run in the engine and records it; its thread is free then.
 * A run that is just being handed over is recorded first, and stopped by the request that hands it over.
 * @throws {AppError} run_finished when it ended before; rate_limited, unavailable or internal_error when the engine
 * or the store cannot tell, and the run is untouched then.
 */
export async function cancel(services: RunServices, stored: Stored<Run>): Promise<Run> {
  let current = stored;
  for (let tries = 0; tries < maxTries; tries++) {
    const run = current.value;
    if (isFinished(run)) throw new AppError('run_finished');
    current = await record(services, current, observe(run, await stop(services, run), new Date()));
    if (current.value.status === 'cancelled') return current.value;
  }
  throw new AppError('unavailable');
}

/** What the engine says when it is told to stop. It may take a moment; that it has agreed is recorded as the end. */
async function stop({ engine, deadline }: RunServices, { responseId }: Run): Promise<Observation> {
  if (responseId === undefined) return { status: 'cancelled' };
  const seen = await engine.cancel(responseId, deadline.within(cancelMs));
  return seen.status === 'queued' || seen.status === 'in_progress' ? { status: 'cancelled' } : seen;
}
