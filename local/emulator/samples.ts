import type { JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/**
 * Makes a value that a JSON Schema describes, from the words of a text where possible: an `enum` value, a quotation, a
 * URL, a number, or capitalized words such as a place. Deterministic.
 * @param schema handles `type`, `enum`, `const`, `properties`, `required`, `items`, `anyOf`, `oneOf`, `$ref` to `$defs`.
 */
export function sample(schema: unknown, text: string): unknown {
  return sampleOf(schema, { text, root: schema, name: '' });
}

interface Sampling {
  text: string;
  root: unknown;
  /** Name of the property that is sampled. */
  name: string;
}

function sampleOf(schema: unknown, context: Sampling): unknown {
  if (!isObject(schema)) return context.text;
  const { $ref, anyOf, oneOf, enum: values } = schema;
  if ('const' in schema) return schema['const'];
  if (typeof $ref === 'string') return sampleOf(resolve(context.root, $ref), context);
  if (Array.isArray(values)) return values.find((value) => mentions(context.text, value)) ?? values[0];
  const [alternative] = [anyOf, oneOf].filter(Array.isArray);
  if (alternative) return sampleOf(alternative[0], context);
  switch (typeOf(schema)) {
    case 'object':
      return sampleObject(schema, context);
    case 'array':
      return [sampleOf(schema['items'] ?? {}, context)];
    case 'integer':
    case 'number':
      return sampleNumber(schema, context.text);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return sampleText(schema, context);
  }
}

function typeOf({ type, properties }: JsonObject): unknown {
  if (Array.isArray(type)) return type[0];
  return type ?? (properties === undefined ? 'string' : 'object');
}

function resolve(root: unknown, ref: string): unknown {
  const names = ref.split('/').slice(1);
  return names.reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), root);
}

function mentions(text: string, value: unknown): boolean {
  return text.toLowerCase().includes(String(value).toLowerCase());
}

/** Samples the required properties; all if none is required. */
function sampleObject({ properties, required }: JsonObject, context: Sampling): JsonObject {
  const entries = isObject(properties) ? Object.entries(properties) : [];
  const isRequired = (name: string) => !Array.isArray(required) || required.includes(name);
  return Object.fromEntries(
    entries
      .filter(([name]) => isRequired(name))
      .map(([name, schema]) => [name, sampleOf(schema, { ...context, name })]),
  );
}

function sampleNumber({ minimum = 1, maximum = Infinity, type }: JsonObject, text: string): number {
  const found = Number(/-?\d+(\.\d+)?/.exec(text)?.[0] ?? minimum);
  const limited = Math.min(Math.max(found, Number(minimum)), Number(maximum));
  return type === 'integer' ? Math.round(limited) : limited;
}

const wordsBeforeNames = /\b(?:in|at|of|for|from|to|about|with)\s+((?:\p{Lu}[\p{L}\d'-]*\s?)+)/u;

function sampleText({ format }: JsonObject, { text, name }: Sampling): string {
  const url = /https?:\/\/[^\s"'<>]+[^\s"'<>.,;:!?)]/.exec(text)?.[0];
  if (url && (format === 'uri' || /ur[il]/i.test(name))) return url;
  const quotation = /["“„«]([^"”“»]+)["”“»]/.exec(text)?.[1];
  const date = format === 'date' ? /\d{4}-\d\d-\d\d/.exec(text)?.[0] : undefined;
  return date ?? quotation ?? wordsBeforeNames.exec(text)?.[1]?.trim() ?? text;
}
