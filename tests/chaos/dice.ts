import { createRandom } from '../support/random.ts';

/** A reproducible source of random decisions. */
export interface Dice {
  /** Returns a whole number from `least` to `most`. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  /** Picks an element. @throws {Error} when there is none. */
  pick<T>(from: readonly T[]): T;
  /** Picks a key by weight. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T;
}

/** Creates a source. @param name separates sources with the same seed, so that they are independent. */
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
