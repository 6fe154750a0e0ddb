import { metadataLimits } from '../http/body.ts';
import { badRequest } from './wireError.ts';

/*
 * Readers of parameters. Each checks a value that a client sent and names the parameter at fault in the words of the
 * original API. No message quotes a value, which people wrote.
 */

/** Checks a value. @param param the parameter's name for errors. @throws {WireError} 400 for an invalid value. */
export type Reader<T> = (value: unknown, param: string) => T;

/** Accepts an absent value; null counts as absent. */
export const optional =
  <T>(read: Reader<T>): Reader<T | undefined> =>
  (value, param) =>
    value === undefined || value === null ? undefined : read(value, param);

/** Accepts an absent value, and null as a value of its own. */
export const nullable =
  <T>(read: Reader<T>): Reader<T | null | undefined> =>
  (value, param) =>
    value === undefined || value === null ? value : read(value, param);

/** Reads well-formed text. @param max number of characters. */
export const text =
  ({ min = 0, max }: { min?: number; max: number }): Reader<string> =>
  (value, param) => {
    if (typeof value !== 'string') throw invalidType(param, 'a string', value);
    wellFormed(value, param);
    if (lengthOf(value) > max) {
      throw badRequest(
        `Invalid '${param}': string too long. Expected a string with maximum length ${max}.`,
        param,
        'string_above_max_length',
      );
    }
    if (lengthOf(value) < min) {
      throw badRequest(
        `Invalid '${param}': string too short. Expected a string with minimum length ${min}.`,
        param,
        'string_below_min_length',
      );
    }
    return value;
  };

/** Refuses lone surrogates, which no engine accepts. */
function wellFormed(value: string, param: string): void {
  if (value.isWellFormed()) return;
  throw badRequest(`Invalid '${param}': the text must be well-formed Unicode.`, param, 'invalid_value');
}

/** Counts characters, not UTF-16 units. Avoids splitting text that is certainly short enough. */
const lengthOf = (value: string): number => (value.length < 512 ? value.length : [...value].length);

export const flag: Reader<boolean> = (value, param) => {
  if (typeof value !== 'boolean') throw invalidType(param, 'a boolean', value);
  return value;
};

export const number =
  ({ min, max, integer = false }: { min: number; max: number; integer?: boolean }): Reader<number> =>
  (value, param) => {
    if (typeof value !== 'number' || (integer && !Number.isInteger(value))) {
      throw invalidType(param, integer ? 'an integer' : 'a number', value);
    }
    if (value < min || value > max) {
      throw badRequest(
        `Invalid '${param}': expected a value from ${min} to ${max}.`,
        param,
        `${integer ? 'integer' : 'decimal'}_${value < min ? 'below_min' : 'above_max'}_value`,
      );
    }
    return value;
  };

export const oneOf =
  <const T extends string>(...values: readonly T[]): Reader<T> =>
  (value, param) => {
    if (typeof value !== 'string') throw invalidType(param, 'a string', value);
    if (!(values as readonly string[]).includes(value)) {
      throw badRequest(
        `Invalid value for '${param}'. Supported values are: ${values.map((one) => `'${one}'`).join(', ')}.`,
        param,
        'invalid_value',
      );
    }
    return value as T;
  };

/** @param max number of items. */
export const list =
  <T>(read: Reader<T>, { min = 0, max }: { min?: number; max: number }): Reader<readonly T[]> =>
  (value, param) => {
    if (!Array.isArray(value)) throw invalidType(param, 'an array', value);
    if (value.length > max || value.length < min) {
      throw badRequest(
        `Invalid '${param}': expected an array of ${min} to ${max} items, but got ${value.length}.`,
        param,
        value.length > max ? 'array_above_max_length' : 'array_below_min_length',
      );
    }
    return value.map((item, index) => read(item, `${param}[${index}]`));
  };

type Shape = Readonly<Record<string, Reader<unknown>>>;
type ValueOf<S extends Shape> = { readonly [Name in keyof S]: ReturnType<S[Name]> };

/** Reads an object with these properties and no others. The body itself has no name: its param is ''. */
export const object =
  <S extends Shape>(shape: S): Reader<ValueOf<S>> =>
  (value, param) => {
    if (!isObject(value)) throw invalidType(param || 'body', 'an object', value);
    const nameOf = (name: string) => (param === '' ? name : `${param}.${name}`);
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(shape, name)) {
        const unknown = nameOf(name.slice(0, 64));
        throw badRequest(`Unknown parameter: '${unknown}'.`, unknown, 'unknown_parameter');
      }
    }
    const entries = Object.entries(shape).map(([name, read]) => [
      name,
      read(Object.hasOwn(value, name) ? value[name] : undefined, nameOf(name)),
    ]);
    return Object.fromEntries(entries);
  };

/** Maximum nesting of an object of any properties. */
const maxDepth = 100;

/** Reads an object of any properties, with well-formed text. */
export const anyObject: Reader<Readonly<Record<string, unknown>>> = (value, param) => {
  if (!isObject(value)) throw invalidType(param, 'an object', value);
  const check = (part: unknown, depth: number): void => {
    if (typeof part === 'string') wellFormed(part, param);
    if (typeof part !== 'object' || part === null) return;
    if (depth > maxDepth) {
      throw badRequest(
        `Invalid '${param}': nested more than ${maxDepth} levels deep.`,
        param,
        'invalid_value',
      );
    }
    for (const [name, inner] of Object.entries(part)) {
      wellFormed(name, param);
      check(inner, depth + 1);
    }
  };
  check(value, 1);
  return value;
};

/** Reads a client's own labels. */
const labels =
  <T>(readValue: Reader<T>): Reader<Readonly<Record<string, T>>> =>
  (value, param) => {
    if (!isObject(value)) throw invalidType(param, 'an object', value);
    const pairs = Object.entries(value);
    if (pairs.length > metadataLimits.pairs) {
      throw badRequest(
        `Invalid '${param}': too many properties. Expected an object with at most ${metadataLimits.pairs} properties.`,
        param,
        'object_above_max_properties',
      );
    }
    return Object.fromEntries(
      pairs.map(([key, pair]) => [
        text({ min: 1, max: metadataLimits.keyLength })(key, param),
        readValue(pair, param),
      ]),
    );
  };

const labelText: Reader<string> = (value, param) => {
  // The key is the client's text too, so it is not named.
  if (typeof value !== 'string') throw invalidType(param, 'strings as values', value);
  return text({ max: metadataLimits.valueLength })(value, param);
};

export const metadata = labels(labelText);

/** Reads labels whose values may be numbers and booleans too. */
export const attributes = labels<string | number | boolean>((value, param) =>
  typeof value === 'number' || typeof value === 'boolean' ? value : labelText(value, param),
);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function invalidType(param: string, expected: string, value: unknown) {
  if (value === undefined) {
    return badRequest(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
  }
  const message = `Invalid type for '${param}': expected ${expected}, but got ${typeOf(value)} instead.`;
  return badRequest(message, param, 'invalid_type');
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
