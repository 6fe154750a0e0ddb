import { createRandom } from '../support/random.ts';

/** One source of decisions; the same seed decides the same. */
export interface Dice {
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  /** @throws {Error} when there is nothing to pick from. */
  pick<T>(from: readonly T[]): T;
  /** Picks by weight. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T;
}

/** @param name tells sources of the same seed apart, so that one that decides more often changes no other. */
export function createDice(seed: number, name: string): Dice {
  let mixed = seed;
  for (const character of name) mixed = Math.imul(mixed ^ character.charCodeAt(0), 0x01000193);
  const random = createRandom(mixed);
  const dice: Dice = {
    between: (least, most) => least + Math.floor(random() * (most - least + 1)),
    chance: (probability) => random() < probability,
    pick: (from) => {
      if (from.length === 0) throw new Error('nothing to pick from');
      return from[Math.floor(random() * from.length)] as (typeof from)[number];
    },
    weighted: (choices) => {
      let left = random() * choices.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, choice] of choices) {
        left -= weight;
        if (left < 0) return choice;
      }
      throw new Error('nothing to pick from');
    },
  };
  return dice;
}
