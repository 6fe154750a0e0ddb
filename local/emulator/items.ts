import { badRequest, invalidType, missingParameter } from './errors.ts';
import { type IdPrefix, newId } from './ids.ts';
import { type Page, pageOf } from './pages.ts';
import type { Item, JsonObject } from './types.ts';
import { isObject, parseRequiredText, parseText } from './validation.ts';

const roles = ['assistant', 'system', 'developer', 'user'];
const maxItemsAtOnce = 20;

/** Parses input, a string or an array, into conversation items with new ids. */
export function toItems(input: unknown, param: string): Item[] {
  if (typeof input === 'string') return [toMessage({ role: 'user', content: input }, param)];
  if (!Array.isArray(input)) throw invalidType(param, 'one of a string or an array of objects', input);
  return input.map((item, index) => toItem(item, `${param}[${index}]`));
}

/** Parses the `items` of a body. @throws {ApiError} 400 for more than 20. */
export function parseItems(value: unknown): Item[] {
  if (Array.isArray(value) && value.length > maxItemsAtOnce) {
    const message = `Invalid 'items': array too long. Expected an array with maximum length ${maxItemsAtOnce}, but got an array with length ${value.length} instead.`;
    throw badRequest(message, 'items', 'array_above_max_length');
  }
  if (!Array.isArray(value))
    throw value === undefined ? missingParameter('items') : invalidType('items', 'an array', value);
  return toItems(value, 'items');
}

function toItem(item: unknown, param: string): Item {
  if (!isObject(item)) throw invalidType(param, 'an object', item);
  const { type = 'message' } = item;
  if (type === 'message') return toMessage(item, param);
  if (typeof type !== 'string') throw invalidType(`${param}.type`, 'a string', type);
  if (type === 'function_call_output') return toCallOutput(item, param);
  if (type === 'mcp_approval_response') return toApprovalResponse(item, param);
  return { ...item, id: newId(prefixes[type] ?? 'item'), status: 'completed' } as unknown as Item;
}

const prefixes: Record<string, IdPrefix> = {
  function_call: 'fc',
  reasoning: 'rs',
};

function toCallOutput(item: JsonObject, param: string): Item {
  const { output } = item;
  parseRequiredText(item, 'call_id', param);
  if (output === undefined) throw missingParameter(`${param}.output`);
  if (typeof output !== 'string' && !Array.isArray(output))
    throw invalidType(`${param}.output`, 'one of a string or an array of objects', output);
  return { ...item, id: newId('fco'), status: 'completed' } as unknown as Item;
}

function toApprovalResponse(item: JsonObject, param: string): Item {
  const { approve } = item;
  const approval_request_id = parseRequiredText(item, 'approval_request_id', param);
  if (approve === undefined) throw missingParameter(`${param}.approve`);
  if (typeof approve !== 'boolean') throw invalidType(`${param}.approve`, 'a boolean', approve);
  const reason = parseText(item, 'reason');
  return { id: newId('mcpa'), type: 'mcp_approval_response', approval_request_id, approve, reason };
}

function toMessage(item: JsonObject, param: string): Item {
  const { role, content } = item;
  if (role === undefined) throw missingParameter(`${param}.role`);
  if (typeof role !== 'string' || !roles.includes(role)) {
    const message = `Invalid value: '${String(role)}'. Supported values are: 'assistant', 'system', 'developer', and 'user'.`;
    throw badRequest(message, `${param}.role`, 'invalid_value');
  }
  const parts = toParts(content, role === 'assistant', `${param}.content`);
  return { id: newId('msg'), type: 'message', status: 'completed', role, content: parts } as Item;
}

function toParts(content: unknown, isAssistant: boolean, param: string): unknown[] {
  if (content === undefined) throw missingParameter(param);
  if (typeof content === 'string') {
    const text = { type: isAssistant ? 'output_text' : 'input_text', text: content };
    return [isAssistant ? { ...text, annotations: [], logprobs: [] } : text];
  }
  if (!Array.isArray(content)) throw invalidType(param, 'one of a string or an array of objects', content);
  for (const [index, part] of content.entries()) {
    if (!isObject(part)) throw invalidType(`${param}[${index}]`, 'an object', part);
    if (typeof part['type'] !== 'string') throw missingParameter(`${param}[${index}].type`);
    if (part['type'].endsWith('_text') && typeof part['text'] !== 'string')
      throw missingParameter(`${param}[${index}].text`);
  }
  return content.map((part, index) => toPart(part, `${param}[${index}]`));
}

/** Checks that an image or a file is given, and fills in defaults. */
function toPart(part: JsonObject, param: string): JsonObject {
  if (part['type'] === 'input_image') {
    if (!part['file_id'] && !part['image_url']) throw missingParameter(`${param}.image_url`);
    return { detail: 'auto', file_id: null, image_url: null, ...part };
  }
  if (part['type'] === 'input_file' && !part['file_id'] && !part['file_data'] && !part['file_url'])
    throw missingParameter(`${param}.file_id`);
  return part;
}

/** Returns the joined text parts of a message; empty for any other item. */
export function textOf(item: Item): string {
  if (item.type !== 'message') return '';
  return item.content.map((part) => ('text' in part ? part.text : '')).join('\n');
}

/** Returns what a response is asked for: the input, or without one the messages that were added to the conversation before. */
export function askedOf(input: readonly Item[], history: readonly Item[]): readonly Item[] {
  if (input.length > 0) return input;
  return history.slice(history.findLastIndex((item) => item.type !== 'message' || item.role !== 'user') + 1);
}

/** Returns a page of items, see `pageOf`. */
export function toPage(items: readonly Item[], query: URLSearchParams): Page<Item> {
  const page = pageOf(items, query);
  return { ...page, data: page.data.map((item) => toVisible(item, includesOf(query))) };
}

/** Returns the values of `include`, in all forms in which clients encode arrays in a query. */
export function includesOf(query: URLSearchParams): string[] {
  return [...query].filter(([name]) => /^include(\[\d*\])?$/.test(name)).map(([, value]) => value);
}

/** Returns an item as sent to clients: results, outputs and sources of tools, and URLs of images only if they are included. */
export function toVisible<T extends Item>(item: T, include: readonly string[]): T {
  if (item.type === 'file_search_call' && !include.includes('file_search_call.results'))
    return { ...item, results: null };
  if (item.type === 'code_interpreter_call' && !include.includes('code_interpreter_call.outputs'))
    return { ...item, outputs: null };
  if (item.type === 'web_search_call' && !include.includes('web_search_call.action.sources')) {
    const { sources: _sources, ...action } = item.action as { sources?: unknown };
    return { ...item, action };
  }
  if (item.type === 'message' && !include.includes('message.input_image.image_url')) return withoutUrls(item);
  return item;
}

function withoutUrls<T extends Item>(item: T): T {
  if (item.type !== 'message' || !item.content.some(({ type }) => type === 'input_image')) return item;
  const content = item.content.map((part) =>
    part.type === 'input_image' ? { ...part, image_url: null } : part,
  );
  return { ...item, content };
}
