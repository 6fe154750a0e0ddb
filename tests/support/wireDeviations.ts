import { Ajv2020 } from 'ajv/dist/2020.js';
import { findRoute, type Operation } from '../../shared/openai/router.ts';
import { createDeviationLog, type DeviationLog, parseEvents } from './openApi.ts';
import type { TestResponse } from './service.ts';
import { loadWireSchemas, type Schema } from './wireSchemas.ts';

/*
 * Compares responses of the Assistants API with the types of the `openai` package: nothing that they require may be missing,
 * and nothing else may be there.
 */

const wireSchemas = loadWireSchemas();
const { schemas } = wireSchemas;

const ref = (name: string): Schema => ({ $ref: `#/schemas/${name}` });
const toObject = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

/** What a run waits for: as the package types it, with or without approvals, which it does not know. */
const requiredAction: Schema = {
  anyOf: [
    wireSchemas.$defs['Run.RequiredAction'],
    toObject({
      type: { const: 'submit_tool_outputs' },
      submit_tool_outputs: { $ref: '#/$defs/Run.RequiredAction.SubmitToolOutputs' },
      submit_tool_approval: { $ref: '#/$defs/approvals' },
    }),
    toObject({
      type: { const: 'submit_tool_approval' },
      submit_tool_outputs: toObject({ tool_calls: { type: 'array', maxItems: 0 } }),
      submit_tool_approval: { $ref: '#/$defs/approvals' },
    }),
  ],
};
const approvals = toObject({
  tool_calls: {
    type: 'array',
    minItems: 1,
    items: toObject({
      id: { type: 'string' },
      type: { const: 'mcp' },
      server_label: { type: 'string' },
      name: { type: 'string' },
      arguments: { type: 'string' },
    }),
  },
});
const $defs = { ...wireSchemas.$defs, approvals, 'Run.RequiredAction': requiredAction };

/** A list, with the properties that the reference of the API documents besides those that the package reads. */
const listOf = (name: string): Schema =>
  toObject({
    object: { const: 'list' },
    data: { type: 'array', items: ref(name) },
    first_id: { type: ['string', 'null'] },
    last_id: { type: ['string', 'null'] },
    has_more: { type: 'boolean' },
  });

/** A list that has one page only. */
const onlyPageOf = (name: string): Readonly<Record<string, Schema>> => ({
  data: { type: 'array', items: ref(name) },
  has_more: { const: false },
  next_page: { type: 'null' },
});

/** The body of every operation's response. */
const bodies: Readonly<Record<Operation, Schema>> = {
  listAssistants: listOf('Assistant'),
  createAssistant: ref('Assistant'),
  retrieveAssistant: ref('Assistant'),
  updateAssistant: ref('Assistant'),
  deleteAssistant: ref('AssistantDeleted'),
  createThread: ref('Thread'),
  createThreadAndRun: ref('Run'),
  retrieveThread: ref('Thread'),
  updateThread: ref('Thread'),
  deleteThread: ref('ThreadDeleted'),
  createMessage: ref('Message'),
  listMessages: listOf('Message'),
  retrieveMessage: ref('Message'),
  updateMessage: ref('Message'),
  deleteMessage: ref('MessageDeleted'),
  createRun: ref('Run'),
  listRuns: listOf('Run'),
  retrieveRun: ref('Run'),
  updateRun: ref('Run'),
  cancelRun: ref('Run'),
  listSteps: listOf('RunStep'),
  retrieveStep: ref('RunStep'),
  submitToolOutputs: ref('Run'),
  createFile: ref('FileObject'),
  listFiles: listOf('FileObject'),
  retrieveFile: ref('FileObject'),
  deleteFile: ref('FileDeleted'),
  // Of any type.
  retrieveFileContent: {},
  createVectorStore: ref('VectorStore'),
  listVectorStores: listOf('VectorStore'),
  retrieveVectorStore: ref('VectorStore'),
  updateVectorStore: ref('VectorStore'),
  deleteVectorStore: ref('VectorStoreDeleted'),
  searchVectorStore: toObject({
    object: { const: 'vector_store.search_results.page' },
    search_query: { type: 'array', items: { type: 'string' } },
    ...onlyPageOf('VectorStoreSearchResponse'),
  }),
  createVectorStoreFile: ref('VectorStoreFile'),
  listVectorStoreFiles: listOf('VectorStoreFile'),
  retrieveVectorStoreFile: ref('VectorStoreFile'),
  updateVectorStoreFile: ref('VectorStoreFile'),
  deleteVectorStoreFile: ref('VectorStoreFileDeleted'),
  retrieveVectorStoreFileContent: toObject({
    object: { const: 'vector_store.file_content.page' },
    ...onlyPageOf('FileContentResponse'),
  }),
  createFileBatch: ref('VectorStoreFileBatch'),
  retrieveFileBatch: ref('VectorStoreFileBatch'),
  cancelFileBatch: ref('VectorStoreFileBatch'),
  listFileBatchFiles: listOf('VectorStoreFile'),
  listModels: toObject({ object: { const: 'list' }, data: { type: 'array', items: ref('Model') } }),
  retrieveModel: ref('Model'),
};

/** An error, in a response or as the data of an event: the packages read its `error` in both. */
const errorBody = toObject({ error: ref('ErrorObject') });

const ajv = new Ajv2020({ allErrors: true, discriminator: true, strictTypes: false });
ajv.addVocabulary(['schemas', 'bodies', 'error']);
ajv.addSchema({ $defs, schemas, bodies, error: errorBody }, 'wire');

/** @returns the deviations of a response; empty if it has exactly what the package's types say. */
export function wireDeviations(method: string, url: string, response: TestResponse): string[] {
  const operation = findRoute({ method, url })?.operation;
  const type = response.headers.get('Content-Type')?.split(';')[0];
  const isStream = type === 'text/event-stream';
  const found = isStream
    ? parseEvents(response.text).flatMap(({ event, data }) => eventFaults(event, data))
    : bodyFaults(operation, type, response);
  return found.map((text) => `${operation ?? 'no operation'} ${response.status}: ${text}`);
}

function bodyFaults(operation: Operation | undefined, type: string | undefined, response: TestResponse) {
  if (operation === 'retrieveFileContent' && response.status === 200) return [];
  if (type !== 'application/json') return [`the content type is ${type}`];
  if (response.status !== 200) return faults('the error', 'wire#/error', response.body);
  return operation ? faults('the body', `wire#/bodies/${operation}`, response.body) : ['it has a response'];
}

function eventFaults(event: string, text: string): string[] {
  if (event === 'done') return text === '[DONE]' ? [] : ['the data of done'];
  const data = JSON.parse(text);
  if (event === 'error') return faults('an event error', 'wire#/error', data);
  return faults(`an event ${event}`, 'wire#/schemas/AssistantStreamEvent', { event, data });
}

function faults(what: string, pointer: string, data: unknown): string[] {
  const validate = ajv.getSchema(pointer);
  if (!validate) throw new Error(`there is no schema ${pointer}`);
  if (validate(data)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [what, instancePath, message, JSON.stringify(params)].filter(Boolean).join(' '),
  );
}

/** Collects the deviations of all responses of a test file. */
export const createWireLog = (): DeviationLog =>
  createDeviationLog('the types of the openai package', wireDeviations);

/** Returns a `fetch` that has every response checked, a stream while it is read. */
export const checkingFetch =
  (log: DeviationLog): typeof fetch =>
  async (input, init) => {
    const response = await fetch(input, init);
    const { status, headers } = response;
    const method = (init?.method ?? 'GET').toUpperCase();
    const url = input instanceof Request ? input.url : String(input);
    // The package tries out what its `fetch` can do.
    if (url.startsWith('data:')) return response;
    const add = (text: string, body?: unknown) => log.add(method, url, { status, headers, text, body });
    const type = headers.get('Content-Type')?.split(';')[0];
    if (type !== 'text/event-stream') {
      const text = type === 'application/json' ? await response.text() : '';
      add(text, parse(text));
      return type === 'application/json' ? new Response(text, response) : response;
    }
    const decoder = new TextDecoder();
    let pending = '';
    const checked = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        pending += decoder.decode(chunk, { stream: true });
        const end = pending.lastIndexOf('\n\n') + 2;
        if (end > 1) add(pending.slice(0, end));
        pending = pending.slice(end > 1 ? end : 0);
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body?.pipeThrough(checked), response);
  };

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
