import type { ResponseFormat } from '../model/assistant.ts';
import { isJsonSchema } from './jsonSchema.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Returns what is wrong with a response format beyond its schema: the engine would reject every run. */
export function responseFormatIssues(format: ResponseFormat | undefined): string[] {
  if (format?.type !== 'json_schema') return [];
  const place = 'responseFormat.schema';
  if (!isJsonSchema(format.schema)) return [`${place} must be a valid JSON Schema`];
  return format.strict ? strictIssues(format.schema, place) : [];
}

/**
 * Returns where a schema is not strict: in a strict one, every object lists all its properties as required and has no
 * others (OpenAI, "Structured outputs", supported schemas).
 */
function strictIssues(schema: unknown, place: string): string[] {
  if (!isObject(schema)) return [];
  const { type, properties = {}, required, items, anyOf, $defs = {}, definitions = {} } = schema;
  const types = Array.isArray(type) ? type : [type];
  const names = isObject(properties) ? Object.keys(properties) : [];
  const listed: readonly unknown[] = Array.isArray(required) ? required : [];
  const missing = names.filter((name) => !listed.includes(name));
  return [
    ...(types.includes('object') && schema['additionalProperties'] !== false
      ? [`${place} must have "additionalProperties": false, because it is strict`]
      : []),
    ...missing.map((name) => `${place} must require "${name}", because it is strict`),
    ...partsOf(properties, `${place}.properties`),
    ...partsOf(items === undefined ? {} : { items }, place),
    ...partsOf(anyOf ?? {}, `${place}.anyOf`),
    ...partsOf($defs, `${place}.$defs`),
    ...partsOf(definitions, `${place}.definitions`),
  ];
}

const partsOf = (parts: unknown, place: string): string[] =>
  typeof parts === 'object' && parts !== null
    ? Object.entries(parts).flatMap(([name, part]) => strictIssues(part, `${place}.${name}`))
    : [];

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
