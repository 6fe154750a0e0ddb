import { randomBytes } from 'node:crypto';

/** Base 36 digits of a date's milliseconds until the year 5188; a fixed width keeps their order as text. */
const timeDigits = 9;
const timeLimit = 36 ** timeDigits;

/** A date as text of nine characters that sorts newest first. */
export const countDown = (date: Date): string =>
  (timeLimit - 1 - date.getTime()).toString(36).padStart(timeDigits, '0');

/**
 * A new id of letters and digits: the time counted down, then 96 random bits.
 * Counting down makes the store's own order (ascending keys) newest first.
 */
export function newId<Prefix extends 'thread' | 'run'>(prefix: Prefix, now: Date): string {
  return `${prefix}_${countDown(now)}${randomBytes(12).toString('hex')}`;
}

/** The counted-down time in an id that {@link newId} made; undefined for an id from elsewhere. */
export const timePart = (id: string): string | undefined =>
  /^(?:thread|run)_([0-9a-z]{9})[0-9a-f]{24}$/.exec(id)?.[1];

export const isThreadId = (value: string | undefined): value is string => isId('thread', value);

export const isRunId = (value: string | undefined): value is string => isId('run', value);

const isId = (prefix: 'thread' | 'run', value: string | undefined): boolean =>
  value !== undefined && value.length <= 64 && new RegExp(`^${prefix}_[A-Za-z0-9]+$`).test(value);
