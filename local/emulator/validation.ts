import { badRequest, invalidType, missingParameter } from './errors.ts';
import type { JsonObject } from './types.ts';

const metadataLimits = { pairs: 16, keyLength: 64, valueLength: 512 };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Rejects unknown parameters. @throws {ApiError} 400 `unknown_parameter` */
export function rejectUnknown(body: JsonObject, known: ReadonlySet<string>): void {
  const unknown = Object.keys(body).find((name) => !known.has(name));
  if (unknown !== undefined)
    throw badRequest(`Unknown parameter: '${unknown}'.`, unknown, 'unknown_parameter');
}

/** Parses metadata; `{}` if absent or null. @throws {ApiError} 400 beyond 16 pairs of 64 and 512 characters. */
export function parseMetadata(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalidType('metadata', 'an object', value);
  const pairs = Object.entries(value);
  if (pairs.length > metadataLimits.pairs) {
    const message = `Invalid 'metadata': too many properties. Expected an object with at most ${metadataLimits.pairs} properties, but got an object with ${pairs.length} properties instead.`;
    throw badRequest(message, 'metadata', 'object_above_max_properties');
  }
  return Object.fromEntries(pairs.map(([key, text]) => [checkedKey(key), checkedValue(key, text)]));
}

function checkedKey(key: string): string {
  if (key.length > metadataLimits.keyLength)
    throw tooLong('metadata', 'key', metadataLimits.keyLength, key.length);
  return key;
}

function checkedValue(key: string, value: unknown): string {
  const param = `metadata.${key.slice(0, metadataLimits.keyLength)}`;
  if (typeof value !== 'string') throw invalidType(param, 'a string', value);
  if (value.length > metadataLimits.valueLength) {
    throw tooLong(param, 'string', metadataLimits.valueLength, value.length);
  }
  return value;
}

function tooLong(param: string, what: string, limit: number, length: number) {
  const message = `Invalid '${param}': ${what} too long. Expected a string with maximum length ${limit}, but got a string with length ${length} instead.`;
  return badRequest(message, param, 'string_above_max_length');
}

export function parseText(body: JsonObject, name: string): string | null {
  const value = body[name] ?? null;
  if (value !== null && typeof value !== 'string') throw invalidType(name, 'a string', value);
  return value;
}

/** Parses a text. @param parent where the object is in the request. @throws {ApiError} 400 if absent or empty. */
export function parseRequiredText(body: JsonObject, name: string, parent = ''): string {
  const text = parseText(body, name);
  if (text === null || text === '') throw missingParameter(parent === '' ? name : `${parent}.${name}`);
  return text;
}

export function parseFlag(body: JsonObject, name: string, fallback: boolean): boolean {
  const value = body[name] ?? fallback;
  if (typeof value !== 'boolean') throw invalidType(name, 'a boolean', value);
  return value;
}

interface Range {
  min: number;
  max?: number;
  integer?: boolean;
}

/** Parses a number; null if absent. @throws {ApiError} 400 outside the range. */
export function parseNumber(body: JsonObject, name: string, range: Range): number | null {
  const value = body[name] ?? null;
  if (value === null) return null;
  const kind = range.integer ? 'integer' : 'decimal';
  if (typeof value !== 'number' || (range.integer && !Number.isInteger(value))) {
    throw invalidType(name, range.integer ? 'an integer' : 'a decimal', value);
  }
  if (value < range.min) throw outOfRange(name, kind, 'below minimum', `>= ${range.min}`, value);
  if (value > (range.max ?? Infinity))
    throw outOfRange(name, kind, 'above maximum', `<= ${range.max}`, value);
  return value;
}

function outOfRange(name: string, kind: string, side: string, expected: string, value: number) {
  const message = `Invalid '${name}': ${kind} ${side} value. Expected a value ${expected}, but got ${value} instead.`;
  return badRequest(message, name, `${kind}_${side.replace('imum', '').replace(' ', '_')}_value`);
}
