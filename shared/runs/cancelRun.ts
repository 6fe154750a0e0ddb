import { AppError } from '../errors.ts';
import type { Run } from '../model/run.ts';
import { applyEngineState, type EngineRunState, isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { saveRun } from './refreshRun.ts';
import type { RunServices } from './runServices.ts';

const cancelMs = 10_000;

/** Others may write the run meanwhile: the request that hands it over, and those who watch it. */
const maxTries = 5;

/**
 * Cancels an unfinished run in the engine and records it; its thread is free then.
 * A run that is just being submitted is recorded first, and stopped by the request that submits it.
 * @throws {AppError} run_finished when it ended before; rate_limited, unavailable or internal_error when the engine
 * or the store cannot tell, and the run is untouched then.
 */
export async function cancel(services: RunServices, stored: Stored<Run>): Promise<Run> {
  let current = stored;
  for (let tries = 0; tries < maxTries; tries++) {
    const { responseId } = current.value;
    if (isTerminal(current.value)) throw new AppError('run_finished');
    const state = await stop(services, responseId);
    // A run that was accepted in the meantime has to be stopped in the engine first.
    const change = (run: Run) =>
      run.responseId === responseId ? applyEngineState(run, state, new Date()) : run;
    current = await saveRun(services, current, change);
    if (current.value.status === 'cancelled') return current.value;
    // The engine does not show the run yet, so it cannot be told to stop.
    if (state.status === 'absent' && !isTerminal(current.value)) throw new AppError('unavailable');
  }
  throw new AppError('unavailable');
}

/** The state in the engine after it was told to stop. It may take a moment; that it has agreed is recorded as the end. */
async function stop(
  { engine, deadline }: RunServices,
  responseId: string | undefined,
): Promise<EngineRunState> {
  if (responseId === undefined) return { status: 'cancelled' };
  const state = await engine.cancel(responseId, deadline.remaining(cancelMs));
  return state.status === 'queued' || state.status === 'in_progress' ? { status: 'cancelled' } : state;
}
