import { AppError } from '../errors.ts';
import type { Run } from '../model/run.ts';
import { applyEngineState, type EngineRunState, isTerminal, isWaiting } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { saveRun } from './refreshRun.ts';
import type { RunServices } from './runServices.ts';

/** Timeout of the engine's cancellation, in milliseconds. */
const cancelMs = 10_000;

/** Maximum attempts. Requests that submit or read the run may change it concurrently. */
const maxTries = 5;

/**
 * Cancels an active run in the engine, records the cancellation and frees the thread. A run that is still being
 * submitted is recorded as cancelled first; the request that submits it then cancels it in the engine. A waiting run has
 * nothing to cancel in the engine.
 * @throws {AppError} run_finished when the run has ended already; rate_limited, unavailable or internal_error when the
 * engine or the store fails, and the run is then unchanged.
 */
export async function cancel(services: RunServices, stored: Stored<Run>): Promise<Run> {
  let current = stored;
  for (let tries = 0; tries < maxTries; tries++) {
    const { responseId } = current.value;
    if (isTerminal(current.value)) throw new AppError('run_finished');
    const state = await cancelInEngine(services, current.value);
    // If the run was accepted in the meantime, it must be cancelled in the engine first.
    const change = (run: Run) =>
      run.responseId === responseId
        ? applyEngineState(run, state, new Date(), services.config.maxToolRounds)
        : run;
    current = await saveRun(services, current, change);
    if (current.value.status === 'cancelled') return current.value;
    // The engine does not know the run yet, so it cannot cancel it.
    if (state.status === 'absent' && !isTerminal(current.value)) throw new AppError('unavailable');
  }
  throw new AppError('unavailable');
}

/**
 * Cancels a run in the engine and returns its state. A cancellation that the engine accepted but has not completed
 * counts as done.
 */
async function cancelInEngine({ engine, deadline }: RunServices, run: Run): Promise<EngineRunState> {
  const { responseId } = run;
  if (responseId === undefined || isWaiting(run)) return { status: 'cancelled' };
  const state = await engine.cancel(responseId, deadline.remaining(cancelMs));
  return state.status === 'queued' || state.status === 'in_progress' ? { status: 'cancelled' } : state;
}
