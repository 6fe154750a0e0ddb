import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import openApi from '../../openapi.json' with { type: 'json' };
import { AppError, type FieldErrors, fieldError } from '../errors.ts';
import type { RunInput } from '../model/run.ts';
import type { ApiRequest, RequestContext } from './endpoint.ts';
import { ignoredProperties } from './misspelt.ts';

// `npm run lint:openapi` validates the schema; loading the meta-schemas here would slow every start by 0.1 s.
const ajv = new Ajv2020({ allErrors: true, verbose: true, meta: false, validateSchema: false });
// Rejects lone surrogates, which no engine accepts.
ajv.addFormat('well-formed', (text: string) => text.isWellFormed());

const isRunInput = (body: unknown): body is { message: string; instructions?: string | null } =>
  // Compiled on first use and cached.
  ajv.validate(openApi.components.schemas.CreateRunRequest, body);

/**
 * Parses the body of a create. Properties that the service does not know are ignored; the log says how many there were.
 * @throws {AppError} invalid_request naming every invalid field; also as {@link ApiRequest.text}.
 */
export async function parseRunInput(request: ApiRequest, note?: RequestContext['note']): Promise<RunInput> {
  const text = await request.text();
  let body: unknown;
  try {
    // An empty body is not malformed; report its missing fields instead.
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    // The parser's own message quotes the body, so it is dropped.
    throw fieldError('$', 'The request body must be valid JSON.');
  }
  if (!isRunInput(body)) {
    throw new AppError('invalid_request', { fieldErrors: toFieldErrors(ajv.errors ?? []) });
  }
  note?.(ignoredProperties(body, Object.keys(openApi.components.schemas.CreateRunRequest.properties)));
  return { message: body.message, instructions: body.instructions ?? null };
}

function toFieldErrors(errors: readonly ErrorObject[]): FieldErrors {
  const fields: Record<string, string[]> = {};
  for (const error of errors) {
    const name = error.params['missingProperty'] ?? error.instancePath.slice(1);
    const field = name === '' ? '$' : name[0].toUpperCase() + name.slice(1);
    const text = toFieldError(field, error);
    fields[field] = [...new Set([...(fields[field] ?? []), text])];
  }
  return fields;
}

/** Returns the message of ASP.NET's model validation, which the contract follows; clients display it. */
function toFieldError(field: string, { keyword, params, data }: ErrorObject & { data?: unknown }): string {
  if (field === '$') return 'The request body must be a JSON object.';
  switch (keyword) {
    case 'maxLength':
      return `The field ${field} must be a string with a maximum length of ${params['limit']}.`;
    case 'type':
      return data === null ? `The ${field} field is required.` : `The field ${field} must be a string.`;
    case 'format':
      return `The field ${field} must be well-formed Unicode text.`;
    default:
      return `The ${field} field is required.`;
  }
}
