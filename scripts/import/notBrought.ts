import { WireError } from '../../shared/openai/wireError.ts';

/** Why an exported object cannot be brought, in words that quote no content. */
export class NotBrought extends Error {}

/** Runs a reader of the Assistants API. @throws {NotBrought} with its message, which names the parameter only. */
export function refuseInWords<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof WireError ? new NotBrought(error.details.message) : error;
  }
}

/** Returns a word of a file for the operator's terminal. */
export const toWord = (word: unknown): string =>
  typeof word === 'string' && /^[\w.-]{1,64}$/.test(word) ? `'${word}'` : '(not a word)';
