import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import openApi from '../../openapi.json' with { type: 'json' };
import { AppError, type FieldErrors, fieldError } from '../errors.ts';
import { type Metadata, metadataOf } from '../model/metadata.ts';
import type { RunInput } from '../model/run.ts';
import type { ToolOutputs } from '../model/toolCalls.ts';
import type { ApiRequest, RequestContext } from './endpoint.ts';
import { ignoredProperties } from './misspelt.ts';

// `npm run lint:openapi` validates the schema; loading the meta-schemas here would slow every start by 0.1 s.
const ajv = new Ajv2020({ allErrors: true, verbose: true, meta: false, validateSchema: false });
// Rejects lone surrogates, which no engine accepts.
ajv.addFormat('well-formed', (text: string) => text.isWellFormed());
// The document is not a schema, but schemas refer to parts of it.
ajv.addVocabulary(Object.keys(openApi));
ajv.addSchema(openApi, 'openapi');

type Note = RequestContext['note'];

const { schemas } = openApi.components;

/** Limits of metadata; lengths in characters. */
export const metadataLimits = {
  pairs: schemas.Metadata.maxProperties,
  keyLength: schemas.Metadata.propertyNames.maxLength,
  valueLength: schemas.Metadata.additionalProperties.maxLength,
};

interface RunBody {
  readonly message: string;
  readonly instructions?: string | null;
  readonly metadata?: Metadata | null;
  readonly attachments?: readonly { readonly fileId: string }[] | null;
}

function toRunInput(
  message: string,
  { instructions, metadata, attachments }: Omit<RunBody, 'message'>,
): RunInput {
  const fileIds = (attachments ?? []).map(({ fileId }) => fileId);
  return {
    message,
    instructions: instructions ?? null,
    ...metadataOf(metadata ?? {}),
    ...(fileIds.length > 0 && { attachments: fileIds }),
  };
}

/** Body of the create of a thread. */
export interface ThreadInput {
  readonly metadata: Metadata;
  /** The first message, if there is one. */
  readonly input: RunInput | undefined;
}

/** Maximum size of a submission, in bytes: a character may take twelve in JSON, escaped as a surrogate pair. */
export const maxSubmissionBytes = 6.5 * 1024 * 1024;

/**
 * Parses the body of a create of a run. Properties that the service does not know are ignored; the log says how many
 * there were.
 * @throws {AppError} invalid_request naming every invalid field; also as {@link ApiRequest.text}.
 */
export async function parseRunInput(request: ApiRequest, note?: Note): Promise<RunInput> {
  const body = await parseBody<RunBody>(request, 'CreateRunRequest', { note });
  return toRunInput(body.message, body);
}

/** Parses the body of a create of a thread. @throws {AppError} as {@link parseRunInput}. */
export async function parseThreadInput(request: ApiRequest, note?: Note): Promise<ThreadInput> {
  const body = await parseBody<Partial<RunBody>>(request, 'CreateThreadRequest', { note });
  const { message, metadata, ...rest } = body;
  return {
    metadata: metadata ?? {},
    input: message === undefined ? undefined : toRunInput(message, rest),
  };
}

/** Parses the body of a change of a thread or a run. @throws {AppError} as {@link parseRunInput}. */
export async function parseMetadata(request: ApiRequest, note?: Note): Promise<Metadata> {
  type Body = { metadata: Metadata | null };
  const { metadata } = await parseBody<Body>(request, 'UpdateMetadataRequest', { note });
  return metadata ?? {};
}

/**
 * Parses the body of a submission of outputs.
 * @throws {AppError} as {@link parseRunInput}.
 */
export async function parseToolOutputs(request: ApiRequest, note?: Note): Promise<ToolOutputs> {
  const options = { note, maxBytes: maxSubmissionBytes };
  const body = await parseBody<Partial<ToolOutputs>>(request, 'ToolOutputsRequest', options);
  const { toolOutputs = [], approvals = [] } = body;
  return { toolOutputs, approvals };
}

type BodySchema = 'CreateRunRequest' | 'CreateThreadRequest' | 'ToolOutputsRequest' | 'UpdateMetadataRequest';

async function parseBody<T extends object>(
  request: ApiRequest,
  schema: BodySchema,
  { note, maxBytes }: { readonly note: Note | undefined; readonly maxBytes?: number },
): Promise<T> {
  const text = await request.text(maxBytes);
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
  note?.(ignoredProperties(body, Object.keys(schemas[schema].properties)));
  return body;
}

function toFieldErrors(errors: readonly ErrorObject[]): FieldErrors {
  const fields: Record<string, string[]> = {};
  for (const error of errors) {
    const missing = error.params['missingProperty'];
    const isOfMetadata = /^\/metadata(\/|$)/.test(error.instancePath) || missing === 'metadata';
    const path = isOfMetadata ? '/metadata' : error.instancePath;
    const field = toFieldName(missing && !isOfMetadata ? `${path}/${missing}` : path);
    const text = isOfMetadata ? toMetadataError(error) : toFieldError(field, error);
    fields[field] = [...new Set([...(fields[field] ?? []), text])];
  }
  return fields;
}

/** Translates a JSON pointer as ASP.NET does: `/toolOutputs/0/output` to `ToolOutputs[0].Output`. */
const toFieldName = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part.charAt(0).toUpperCase()}${part.slice(1)}`))
    .join('')
    .slice(1) || '$';

/** Names of types in messages, with an article. */
const types: Readonly<Record<string, string>> = {
  array: 'an array',
  boolean: 'true or false',
  object: 'an object',
  string: 'a string',
};

/** Returns the message of ASP.NET's model validation, which the contract follows; clients display it. */
function toFieldError(field: string, { keyword, params, data }: ErrorObject & { data?: unknown }): string {
  if (field === '$') return 'The request body must be a JSON object.';
  switch (keyword) {
    case 'maxLength':
      return `The field ${field} must be a string with a maximum length of ${params['limit']}.`;
    case 'type':
      return data === null
        ? `The ${field} field is required.`
        : `The field ${field} must be ${types[[params['type']].flat()[0]] ?? 'of another type'}.`;
    case 'format':
      return `The field ${field} must be well-formed Unicode text.`;
    case 'maxItems':
      return `The field ${field} must have at most ${params['limit']} items.`;
    case 'uniqueItems':
      return `The field ${field} must not contain an item twice.`;
    case 'pattern':
      return field.endsWith('FileId')
        ? `The field ${field} must be the id of a file.`
        : `The ${field} field is required.`;
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
