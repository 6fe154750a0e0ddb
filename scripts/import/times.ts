import { NotBrought } from './notBrought.ts';

/** The latest time of an object, in seconds from now: clocks may differ. */
const futureSeconds = 86_400;

/** Reads `created_at`, in whole Unix seconds. @throws {NotBrought} */
export function toDate(seconds: unknown): Date {
  const isTime = Number.isInteger(seconds) && (seconds as number) > 0;
  if (!isTime || (seconds as number) > Date.now() / 1000 + futureSeconds) {
    throw new NotBrought('created_at: not a time in Unix seconds');
  }
  return new Date((seconds as number) * 1000);
}

/** The order of exported objects: 1 oldest first, -1 newest first, 0 if their times do not tell. */
export type Direction = -1 | 0 | 1;

/** Returns in which direction times go, by most of their steps. */
export function directionOf(times: readonly number[]): Direction {
  let steps = 0;
  for (const [index, time] of times.entries())
    steps += index === 0 ? 0 : Math.sign(time - (times[index - 1] ?? 0));
  return Math.sign(steps) as Direction;
}
