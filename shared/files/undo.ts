import { scheduler } from 'node:timers/promises';
import type { LogFacts } from '../failures.ts';

/** Timeout of each attempt, in milliseconds; also the time between two. */
const undoMs = 5_000;

const maxUndos = 4;

/**
 * Undoes something that nobody knows, after its request if need be. Never rejects.
 * @param facts what is logged if that fails.
 * @param steps starts what is to be done; repeated until all of it succeeds.
 */
export async function undo(
  facts: LogFacts,
  log: (facts: LogFacts) => void,
  steps: (timeoutMs: number) => readonly Promise<unknown>[],
): Promise<void> {
  for (let undos = 0; undos < maxUndos; undos++) {
    if (undos > 0) await scheduler.wait(undoMs);
    try {
      await Promise.all(steps(undoMs));
      return;
    } catch {
      // Tried again.
    }
  }
  log(facts);
}
