import { Ajv2020 } from 'ajv/dist/2020.js';

/** Checks a JSON Schema, including its references and patterns. */
export function isJsonSchema({ $schema, ...schema }: Readonly<Record<string, unknown>>): boolean {
  try {
    // Only assistants with functions or a format need the meta-schemas.
    new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(schema);
    return true;
  } catch {
    return false;
  }
}
