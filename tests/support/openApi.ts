import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import document from '../../openapi.json' with { type: 'json' };
import type { TestResponse } from './service.ts';

interface Reference {
  readonly $ref?: string;
}

interface Header extends Reference {
  readonly required?: boolean;
  readonly schema: { readonly type: string };
}

interface Response extends Reference {
  readonly headers?: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

interface Parameter extends Reference {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
}

interface Described {
  readonly operationId: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, Response>>;
}

/** An operation of the document, with the parameters of its path. */
export interface Operation {
  readonly id: string;
  /** In capitals. */
  readonly method: string;
  /** Below `/api`, with its parameters in braces. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly takesBody: boolean;
  readonly needsToken: boolean;
  readonly statuses: readonly number[];
}

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;
type PathItem = { parameters?: Parameter[] } & Partial<Record<(typeof methods)[number], Described>>;
const paths = document.paths as unknown as Record<string, PathItem>;

export const operations: readonly Operation[] = Object.entries(paths).flatMap(([path, item]) =>
  methods.flatMap((method) => {
    const described = item[method];
    if (!described) return [];
    return {
      id: described.operationId,
      method: method.toUpperCase(),
      path,
      parameters: [...(item.parameters ?? []), ...(described.parameters ?? [])].map((p) => follow(p).value),
      takesBody: described.requestBody !== undefined,
      needsToken: described.security?.length !== 0,
      statuses: Object.keys(described.responses).map(Number),
    };
  }),
);

/** Headers added by connections and the Functions host, which the document does not describe. */
const transportHeaders = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
  'x-ms-invocation-id',
]);

const ajv = new Ajv2020({
  allErrors: true,
  formats: {
    'date-time': (text: string) => !Number.isNaN(Date.parse(text)),
    'uri-reference': (text: string) => URL.canParse(text, 'http://host') && /^[!-~]+$/.test(text),
    uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
    'well-formed': (text: string) => text.isWellFormed(),
  },
});
// The document is not a schema, but schemas refer to parts of it.
ajv.addVocabulary(Object.keys(document));
// Clients must accept additional properties, but in tests every property must be documented.
ajv.addSchema(close(document) as object, 'openapi');

/**
 * Validates a response against the document: status, content type, body and headers, none missing or undocumented.
 * @param path of the request, below `/api`.
 * @returns the deviations; empty when the response is as described.
 */
export function deviations(method: string, path: string, response: TestResponse): string[] {
  const called = `/${path.replace(/^\/|[?#].*$/g, '')}`;
  const operation = operations.find((one) => one.method === method && toPattern(one.path).test(called));
  if (!operation) return [`${method} ${called} is not described`];
  const pointer = `/paths/${toPart(operation.path)}/${method.toLowerCase()}/responses/${response.status}`;
  const described = find(pointer) as Response | undefined;
  if (!described) return [`${operation.id}: status ${response.status} is not described`];
  const description = follow(described, pointer);
  return [
    ...headerDeviations(description.value, description.pointer, response),
    ...bodyDeviations(description, response),
  ].map((text) => `${operation.id} ${response.status}: ${text}`);
}

/** The deviations of many responses, each once: a property that is not described concerns every response with it. */
export interface DeviationLog {
  add(method: string, path: string, response: TestResponse): void;
  /** @throws {Error} listing every kind of deviation, with the number of responses and the first request. */
  check(): void;
}

export function createDeviationLog(): DeviationLog {
  const found = new Map<string, { readonly first: string; count: number }>();
  return {
    add(method, path, response) {
      // Items of a list deviate in the same way.
      const kinds = new Set(
        deviations(method, path, response).map((text) => text.replace(/\/\d+(?=[/ ])/g, '/*')),
      );
      for (const kind of kinds) {
        const known = found.get(kind) ?? { first: `${method} ${path}`, count: 0 };
        known.count++;
        found.set(kind, known);
      }
    },
    check() {
      if (found.size === 0) return;
      const lines = [...found].map(
        ([kind, { first, count }]) => `  ${kind} (${count} times, first: ${first})`,
      );
      throw new Error(`Responses are not as described in openapi.json:\n${lines.join('\n')}`);
    },
  };
}

function headerDeviations({ headers = {} }: Response, pointer: string, response: TestResponse): string[] {
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const unknown = [...response.headers.keys()].filter(
    (name) => !names.has(name) && !transportHeaders.has(name),
  );
  return [
    ...unknown.map((name) => `the header ${name} is not described`),
    ...Object.entries(headers).flatMap(([name, described]) => {
      const header = follow(described, `${pointer}/headers/${toPart(name)}`);
      const value = response.headers.get(name);
      if (value === null) return header.value.required ? [`the header ${name} is missing`] : [];
      const { type } = header.value.schema;
      const data = type === 'integer' && /^\d+$/.test(value) ? Number(value) : value;
      return faults(`the header ${name}`, `${header.pointer}/schema`, data);
    }),
  ];
}

function bodyDeviations({ value, pointer }: Found<Response>, response: TestResponse): string[] {
  const type = response.headers.get('Content-Type')?.split(';')[0]?.toLowerCase();
  if (!value.content) return response.text === '' && !type ? [] : ['a body is not described'];
  // Content of any type is not described further.
  if (type && value.content['*/*']) return [];
  if (!type || !value.content[type]) return [`the content type ${type} is not described`];
  const schema = `${pointer}/content/${toPart(type)}/schema`;
  if (type !== 'text/event-stream') return faults('the body', schema, response.body);
  return parseEvents(response.text).flatMap(({ event, data }) =>
    find(`${schema}/$defs/${toPart(event)}`)
      ? faults(`an event ${event}`, `${schema}/$defs/${toPart(event)}`, JSON.parse(data))
      : [`the event ${event} is not described`],
  );
}

/** Parses the events of a stream that have data (HTML standard, section 9.2.6). */
export function parseEvents(text: string): { id: string | undefined; event: string; data: string }[] {
  return text.split(/\r?\n\r?\n/).flatMap((block) => {
    const fields = block.split(/\r?\n/).map((line) => /^(\w+): ?(.*)$/.exec(line)?.slice(1) ?? ['', '']);
    const all = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value ?? '');
    const data = all('data').join('\n');
    return data === '' ? [] : [{ id: all('id').at(-1), event: all('event').at(-1) ?? 'message', data }];
  });
}

function faults(what: string, pointer: string, data: unknown): string[] {
  const validate = ajv.getSchema(`openapi#${encodeURI(pointer)}`) as ValidateFunction;
  if (validate(data)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [what, instancePath, message, JSON.stringify(params)].filter(Boolean).join(' '),
  );
}

interface Found<T> {
  readonly value: T;
  /** Location in the document. */
  readonly pointer: string;
}

function follow<T extends Reference>(value: T, pointer = ''): Found<T> {
  if (value.$ref === undefined) return { value, pointer };
  const target = value.$ref.slice(1);
  return { value: find(target) as T, pointer: target };
}

function find(pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((node: unknown, part) => (node as Record<string, unknown> | undefined)?.[part], document);
}

const toPart = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1');

const toPattern = (path: string) =>
  new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`);

/** Copies a schema, disallowing undescribed properties unless they are explicitly allowed. */
function close(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(close);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, close(value)]));
  return copy['type'] === 'object' && copy['properties'] ? { additionalProperties: false, ...copy } : copy;
}
