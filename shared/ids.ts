import { randomBytes } from 'node:crypto';

/** Base 36 digits of a date's milliseconds until the year 5188; a fixed width keeps their order as text. */
const timeDigits = 9;
const timeLimit = 36 ** timeDigits;

/**
 * A new id of letters and digits: the time counted down, then 96 random bits.
 * Counting down makes the store's own order (ascending keys) newest first.
 */
export function newId<Prefix extends 'thread' | 'run'>(prefix: Prefix, now: Date): string {
  const time = (timeLimit - 1 - now.getTime()).toString(36).padStart(timeDigits, '0');
  return `${prefix}_${time}${randomBytes(12).toString('hex')}`;
}

export const isThreadId = (value: string | undefined): value is string => isId('thread', value);

export const isRunId = (value: string | undefined): value is string => isId('run', value);

const isId = (prefix: 'thread' | 'run', value: string | undefined): boolean =>
  value !== undefined && value.length <= 64 && new RegExp(`^${prefix}_[A-Za-z0-9]+$`).test(value);
