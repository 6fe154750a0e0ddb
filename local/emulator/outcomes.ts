import type {
  ResponseFileSearchToolCall,
  ResponseFunctionWebSearch,
  ResponseOutputText,
} from 'openai/resources/responses/responses';
import { badRequest } from './errors.ts';
import type { IncompleteReason, JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/** Outcome of a response, set with the control API. */
export type Outcome =
  | { status: 'completed'; output: OrderedItem[] }
  | {
      status: 'failed';
      code: string;
      message: string;
      errorEvent: ErrorEventShape | null;
      output: OrderedItem[];
    }
  | { status: 'incomplete'; reason: IncompleteReason; output: OrderedItem[] | null }
  | { status: 'never' };

/** Shape of an `error` event: fields nested in `error`, as engines send it, or flat, as documented. */
export type ErrorEventShape = 'nested' | 'flat';

/** An output item configured by a test, without the properties that the engine adds. */
export type OrderedItem =
  | { type: 'message'; phase?: 'commentary' | 'final_answer'; content: OrderedPart[] }
  | { type: 'reasoning'; summary?: string[]; content?: string[] }
  | { type: 'function_call'; name: string; arguments: string }
  | { type: 'mcp_list_tools'; server_label: string; tools: OrderedTool[]; error?: string }
  | { type: 'mcp_approval_request'; server_label: string; name: string; arguments: string }
  | OrderedMcpCall
  | OrderedInterpreterCall
  | { type: 'file_search_call'; queries: string[]; results?: ResponseFileSearchToolCall['results'] }
  | { type: 'web_search_call'; action: ResponseFunctionWebSearch['action'] };

export interface OrderedTool {
  name: string;
  description?: string;
  input_schema: unknown;
}

/** A call of an MCP tool; failed if it has an `error`. */
export interface OrderedMcpCall {
  type: 'mcp_call';
  server_label: string;
  name: string;
  arguments: string;
  output?: string;
  error?: string;
  approval_request_id?: string;
}

/** A call of the code interpreter in the container of the request. Makes files, whose content is in base64. */
export interface OrderedInterpreterCall {
  type: 'code_interpreter_call';
  code: string;
  logs?: string;
  files?: { filename: string; content: string }[];
  /** Names of files that the outputs show as images. */
  images?: string[];
}

/** A part of a message. A `container_file_citation` with an empty `file_id` cites the file of that name made before. */
export type OrderedPart =
  | { type: 'output_text'; text: string; annotations?: ResponseOutputText['annotations'] }
  | { type: 'refusal'; refusal: string };

const phases = ['commentary', 'final_answer'];

/** Parses an outcome. @throws {ApiError} 400 for an unknown status, reason or item type. */
export function parseOutcome(outcome: unknown): Outcome {
  if (!isObject(outcome)) throw badRequest("'outcome' must be an object.", 'outcome');
  const { status, code = 'server_error', message = 'The model failed to answer.', reason } = outcome;
  if (status === 'never') return { status };
  if (status === 'failed') {
    const { errorEvent = null, output = [] } = outcome;
    if (errorEvent !== null && errorEvent !== 'nested' && errorEvent !== 'flat') throw malformed();
    return { status, code: String(code), message: String(message), errorEvent, output: parseItems(output) };
  }
  if (status === 'incomplete' && (reason === 'max_output_tokens' || reason === 'content_filter')) {
    const { output } = outcome;
    return { status, reason, output: output === undefined ? null : parseItems(output) };
  }
  if (status === 'refusal') return toRefusal(outcome['text']);
  if (status === 'completed') return { status, output: parseItems(outcome['output']) };
  throw malformed();
}

function malformed() {
  const statuses =
    "completed (with 'output'), refusal (with 'text'), failed, incomplete (with a known 'reason')";
  return badRequest(`'outcome.status' must be ${statuses} or never.`, 'outcome');
}

function toRefusal(text: unknown): Outcome {
  const content = [parsePart({ type: 'refusal', refusal: text })];
  return { status: 'completed', output: [{ type: 'message', content }] };
}

function parseItems(output: unknown): OrderedItem[] {
  if (!Array.isArray(output)) throw malformed();
  return output.map(parseItem);
}

function parseItem(item: unknown): OrderedItem {
  if (isObject(item) && isOrderedItem(item)) return item as unknown as OrderedItem;
  throw badRequest("'outcome.output' holds an item that cannot be ordered.", 'outcome');
}

function isOrderedItem(item: JsonObject): boolean {
  switch (item['type']) {
    case 'message':
      return (item['phase'] === undefined || phases.includes(String(item['phase']))) && hasParts(item);
    case 'reasoning':
      return isTexts(item['summary'] ?? []) && isTexts(item['content'] ?? []);
    case 'function_call':
      return isTexts([item['name'], item['arguments']]);
    case 'mcp_list_tools':
      return isTexts([item['server_label']]) && Array.isArray(item['tools']);
    case 'mcp_approval_request':
      return isTexts([item['server_label'], item['name'], item['arguments']]);
    case 'mcp_call':
      return isTexts([item['server_label'], item['name'], item['arguments'], item['output'] ?? '']);
    case 'code_interpreter_call':
      return isTexts([item['code'], item['logs'] ?? '']) && Array.isArray(item['files'] ?? []);
    case 'file_search_call':
      return isTexts(item['queries']);
    case 'web_search_call':
      return isObject(item['action']);
    default:
      return false;
  }
}

function hasParts({ content }: JsonObject): boolean {
  return Array.isArray(content) && content.map(parsePart).length > 0;
}

function parsePart(part: unknown): OrderedPart {
  if (isObject(part)) {
    const { type, text, refusal, annotations = [] } = part;
    if (type === 'output_text' && typeof text === 'string' && Array.isArray(annotations))
      return { type, text, annotations };
    if (type === 'refusal' && typeof refusal === 'string') return { type, refusal };
  }
  throw badRequest("A part is {type: 'output_text', text} or {type: 'refusal', refusal}.", 'outcome');
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
