import { randomBytes } from 'node:crypto';

/** Number of base-36 digits of a time in milliseconds, enough until the year 5188. A fixed width keeps the order. */
const timeDigits = 9;
const timeLimit = 36 ** timeDigits;

/** Encodes a date as nine characters that sort oldest first. */
export const countUp = (date: Date): string => date.getTime().toString(36).padStart(timeDigits, '0');

/** Encodes a date as nine characters that sort newest first. */
export const countDown = (date: Date): string =>
  (timeLimit - 1 - date.getTime()).toString(36).padStart(timeDigits, '0');

/**
 * Creates an id: a prefix, the inverted time and 96 random bits. Inverting the time makes the store's ascending key order
 * newest first.
 */
export function newId<Prefix extends 'thread' | 'run' | 'asst'>(prefix: Prefix, now: Date): string {
  return `${prefix}_${countDown(now)}${randomBytes(12).toString('hex')}`;
}

/** Returns the inverted time in an id created by {@link newId}; undefined for an imported id. */
export const timePart = (id: string): string | undefined =>
  /^(?:thread|run|asst)_([0-9a-z]{9})[0-9a-f]{24}$/.exec(id)?.[1];

export const isThreadId = (value: string | undefined): value is string => isId('thread', value);

export const isRunId = (value: string | undefined): value is string => isId('run', value);

export const isAssistantId = (value: string | undefined): value is string => isId('asst', value);

export const isDocumentId = (value: string | undefined): value is string =>
  value !== undefined && /^doc_[A-Za-z0-9_-]{24,400}$/.test(value);

/** Sealed ids, which consist of more characters. */
export const isFileId = (value: string | undefined): value is string =>
  value !== undefined && /^file_[A-Za-z0-9_-]{24,400}$/.test(value);

export const isVectorStoreId = (value: string | undefined): value is string =>
  value !== undefined && /^vs_[A-Za-z0-9_-]{24,400}$/.test(value);

const isId = (prefix: 'thread' | 'run' | 'asst', value: string | undefined): boolean =>
  value !== undefined && value.length <= 64 && new RegExp(`^${prefix}_[A-Za-z0-9]+$`).test(value);
