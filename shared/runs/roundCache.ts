import type { EngineRunState } from '../model/runState.ts';

/** A round that has ended with calls, as the engine reported it. */
export type WaitingRound = EngineRunState & { readonly status: 'requires_action' };

/**
 * Keeps what the engine reported of rounds that wait for outputs, so that it need not be asked again. A response does
 * not change once it has ended. In memory only: the calls and instructions are written by people and models.
 */
export interface RoundCache {
  find(responseId: string): WaitingRound | undefined;
  /** Remembers a state if it is that of a waiting round. */
  add(responseId: string, state: EngineRunState): void;
}

/** Maximum size of all rounds together, in characters; twice as many bytes. */
const maxCharacters = 4 * 1024 * 1024;

export function createRoundCache(): RoundCache {
  // In order of their use, oldest first.
  const rounds = new Map<string, WaitingRound>();
  let characters = 0;
  const remove = (responseId: string) => {
    const round = rounds.get(responseId);
    if (!round || !rounds.delete(responseId)) return;
    characters -= sizeOf(round);
  };
  const insert = (responseId: string, round: WaitingRound) => {
    rounds.set(responseId, round);
    characters += sizeOf(round);
  };
  return {
    find(responseId) {
      const round = rounds.get(responseId);
      if (!round) return undefined;
      remove(responseId);
      insert(responseId, round);
      return round;
    },
    add(responseId, state) {
      if (state.status !== 'requires_action') return;
      const { output, ...round } = state;
      remove(responseId);
      insert(responseId, round);
      for (const oldest of rounds.keys()) {
        if (characters <= maxCharacters) return;
        remove(oldest);
      }
    },
  };
}

const sizeOf = ({ calls, instructions }: WaitingRound): number =>
  calls.reduce((sum, call) => sum + JSON.stringify(call).length, instructions.length);
