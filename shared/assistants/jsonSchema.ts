import { Ajv2020 } from 'ajv/dist/2020.js';

type JsonObject = Readonly<Record<string, unknown>>;

/** Opened on first use: only assistants with functions or a format need it. */
let metaSchema: Ajv2020 | undefined;

/**
 * Checks a JSON Schema, including its references and patterns. Does not compile it: a schema that a caller sends could
 * keep the worker busy for minutes.
 */
export function isJsonSchema({ $schema, ...schema }: JsonObject): boolean {
  try {
    metaSchema ??= new Ajv2020({ strict: false, logger: false });
    return metaSchema.validateSchema(schema) === true && arePartsValid(schema);
  } catch {
    // Nested too deeply.
    return false;
  }
}

/** Returns whether every pattern in a schema is valid, and every reference leads to a part of it. */
function arePartsValid(schema: JsonObject): boolean {
  const references: string[] = [];
  const patterns: string[] = [];
  const names = new Set<unknown>();
  for (const { $ref, $id, $anchor, pattern, patternProperties } of partsOf(schema)) {
    if (typeof $ref === 'string') references.push($ref);
    names.add($id).add(`#${$anchor}`);
    if (typeof pattern === 'string') patterns.push(pattern);
    patterns.push(...Object.keys(patternProperties ?? {}));
  }
  const isKnown = (reference: string) => names.has(reference) || isPointer(schema, reference);
  return patterns.every(isPattern) && references.every(isKnown);
}

function* partsOf(value: unknown): Generator<JsonObject> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as JsonObject;
  for (const part of Object.values(value)) yield* partsOf(part);
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

/** Returns whether a reference is a JSON pointer to a part of a schema (RFC 6901, section 6). */
function isPointer(schema: unknown, reference: string): boolean {
  if (!/^#(\/|$)/.test(reference)) return false;
  let part = schema;
  for (const token of reference.split('/').slice(1)) {
    const name = decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, name)) return false;
    part = (part as JsonObject)[name];
  }
  return true;
}
