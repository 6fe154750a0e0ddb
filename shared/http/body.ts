import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import openApi from '../../openapi.json' with { type: 'json' };
import { AppError, type FieldErrors, fieldError } from '../errors.ts';
import { type Metadata, metadataOf } from '../model/metadata.ts';
import type { RunInput } from '../model/run.ts';
import type { ApiRequest } from './endpoint.ts';

// `npm run lint:openapi` validates the schema; loading the meta-schemas here would slow every start by 0.1 s.
const ajv = new Ajv2020({ allErrors: true, verbose: true, meta: false, validateSchema: false });
// Rejects lone surrogates, which no engine accepts.
ajv.addFormat('well-formed', (text: string) => text.isWellFormed());
// The document is not a schema, but schemas refer to parts of it.
ajv.addVocabulary(Object.keys(openApi));
ajv.addSchema(openApi, 'openapi');

interface RunBody {
  readonly message: string;
  readonly instructions?: string | null;
  readonly metadata?: Metadata | null;
}

/** Body of the create of a thread. */
export interface ThreadInput {
  readonly metadata: Metadata;
  /** The first message, if there is one. */
  readonly input: RunInput | undefined;
}

/**
 * Parses the body of a create of a run.
 * @throws {AppError} invalid_request naming every invalid field; also as {@link ApiRequest.text}.
 */
export async function parseRunInput(request: ApiRequest): Promise<RunInput> {
  const { message, instructions, metadata } = await parseBody<RunBody>(request, 'CreateRunRequest');
  return { message, instructions: instructions ?? null, ...metadataOf(metadata ?? {}) };
}

/** Parses the body of a create of a thread. @throws {AppError} as {@link parseRunInput}. */
export async function parseThreadInput(request: ApiRequest): Promise<ThreadInput> {
  const { message, instructions, metadata } = await parseBody<Partial<RunBody>>(
    request,
    'CreateThreadRequest',
  );
  return {
    metadata: metadata ?? {},
    input: message === undefined ? undefined : { message, instructions: instructions ?? null },
  };
}

/** Parses the body of a change of a thread or a run. @throws {AppError} as {@link parseRunInput}. */
export async function parseMetadata(request: ApiRequest): Promise<Metadata> {
  const { metadata } = await parseBody<{ metadata: Metadata | null }>(request, 'UpdateMetadataRequest');
  return metadata ?? {};
}

type BodySchema = 'CreateRunRequest' | 'CreateThreadRequest' | 'UpdateMetadataRequest';

async function parseBody<T>(request: ApiRequest, schema: BodySchema): Promise<T> {
  const text = await request.text();
  let body: unknown;
  try {
    // An empty body is not malformed; report its missing fields instead.
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    // The parser's own message quotes the body, so it is dropped.
    throw fieldError('$', 'The request body must be valid JSON.');
  }
  // Compiled on first use and cached.
  const validate = ajv.getSchema(`openapi#/components/schemas/${schema}`) as ValidateFunction<T>;
  if (!validate(body)) {
    throw new AppError('invalid_request', { fieldErrors: toFieldErrors(validate.errors ?? []) });
  }
  return body;
}

function toFieldErrors(errors: readonly ErrorObject[]): FieldErrors {
  const fields: Record<string, string[]> = {};
  for (const error of errors) {
    const [property = ''] = error.instancePath.slice(1).split('/');
    const name = error.params['missingProperty'] ?? property;
    const field = name === '' ? '$' : name[0].toUpperCase() + name.slice(1);
    const text = field === 'Metadata' ? toMetadataError(error) : toFieldError(field, error);
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

/** Never quotes a key or a value. */
function toMetadataError({ keyword, instancePath, propertyName }: ErrorObject): string {
  if (keyword === 'required') return 'The Metadata field is required.';
  if (keyword === 'format') return 'The field Metadata must be well-formed Unicode text.';
  if (keyword === 'maxProperties') return 'The field Metadata must have at most 16 pairs.';
  if (keyword === 'propertyNames' || propertyName !== undefined) {
    return 'The field Metadata must have keys of 1 to 64 characters.';
  }
  return instancePath === '/metadata'
    ? 'The field Metadata must be an object.'
    : 'The field Metadata must have strings of at most 512 characters as values.';
}
