import { Ajv2020 } from 'ajv/dist/2020.js';
import { deepFreeze } from '../freeze.ts';
import type { Assistant } from '../model/assistant.ts';
import schema from './assistant.schema.json' with { type: 'json' };
import { responseFormatIssues } from './responseFormat.ts';

// The tests validate the schema; loading the meta-schemas here would slow every start.
const ajv = new Ajv2020({ allErrors: true, discriminator: true, meta: false, validateSchema: false });
const isAssistant = ajv.compile<Assistant>(schema);

/** Validates an assistant. @returns its issues with their locations; empty when it is valid. */
export function assistantIssues(value: unknown): string[] {
  if (isAssistant(value)) return responseFormatIssues(value.responseFormat);
  return (isAssistant.errors ?? []).map(({ instancePath, message, params }) => {
    const unknown = params['additionalProperty'];
    const place = instancePath.slice(1).replaceAll('/', '.') || 'the assistant';
    return unknown === undefined ? `${place} ${message}` : `${place} has an unknown field "${unknown}"`;
  });
}

/**
 * Parses the `ASSISTANTS` setting, a JSON array of assistants, into a map by id. Never throws: appends issues, each naming
 * its assistant, to `issues`.
 */
export function parseAssistants(text: string, issues: string[]): ReadonlyMap<string, Assistant> {
  const assistants = new Map<string, Assistant>();
  if (text === '') return assistants;
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so it is dropped.
  }
  if (!Array.isArray(values) || values.length === 0) {
    issues.push('ASSISTANTS must be a JSON array of at least one assistant');
    return assistants;
  }
  for (const [index, value] of values.entries()) {
    const found = assistantIssues(value);
    const name = typeof value?.id === 'string' ? value.id : `number ${index + 1}`;
    if (found.length === 0 && assistants.has(value.id)) found.push('has an id that is taken');
    issues.push(...found.map((issue) => `ASSISTANTS, ${name}: ${issue}`));
    assistants.set(value?.id, deepFreeze(value));
  }
  return assistants;
}
