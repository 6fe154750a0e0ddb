import { badRequest, invalidType, missingParameter } from './errors.ts';
import { toItems } from './items.ts';
import type { CreateRequest, JsonObject } from './types.ts';
import {
  isObject,
  parseFlag,
  parseMetadata,
  parseNumber,
  parseRequiredText,
  parseText,
  rejectUnknown,
} from './validation.ts';

const echoDefaults: JsonObject = {
  max_tool_calls: null,
  parallel_tool_calls: true,
  prompt_cache_key: null,
  prompt_cache_retention: null,
  reasoning: { effort: null, summary: null },
  safety_identifier: null,
  service_tier: 'auto',
  temperature: 1,
  text: { format: { type: 'text' }, verbosity: 'medium' },
  tool_choice: 'auto',
  top_logprobs: 0,
  top_p: 1,
  truncation: 'disabled',
  user: null,
};

const knownParameters = new Set([
  ...Object.keys(echoDefaults),
  ...[
    'background',
    'context_management',
    'conversation',
    'include',
    'input',
    'instructions',
    'max_output_tokens',
  ],
  ...['metadata', 'model', 'moderation', 'previous_response_id', 'prompt', 'prompt_cache_options', 'store'],
  ...['stream', 'stream_options', 'tools'],
]);

/** Parses the body of `POST /v1/responses`. @throws {ApiError} 400 with the messages of the real API. */
export function parseCreateRequest(body: JsonObject): CreateRequest {
  rejectUnknown(body, knownParameters);
  const request: CreateRequest = {
    model: parseRequiredText(body, 'model'),
    input: toItems(body['input'] ?? [], 'input'),
    instructions: parseText(body, 'instructions'),
    conversationId: parseConversation(body['conversation']),
    previousResponseId: parseText(body, 'previous_response_id'),
    background: parseFlag(body, 'background', false),
    store: parseFlag(body, 'store', true),
    stream: parseFlag(body, 'stream', false),
    tools: parseTools(body['tools']),
    metadata: parseMetadata(body['metadata']),
    maxOutputTokens: parseNumber(body, 'max_output_tokens', { min: 16, integer: true }),
    include: parseInclude(body['include']),
    obfuscation: parseObfuscation(body['stream_options']),
    echo: parseEcho(body),
  };
  checkCombinations(request);
  return request;
}

function checkCombinations(request: CreateRequest): void {
  const { input, conversationId, previousResponseId } = request;
  if (request.background && !request.store) {
    throw badRequest("Background mode requires 'store' to be true.", 'background');
  }
  if (conversationId && previousResponseId) {
    const message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'.";
    throw badRequest(message, 'previous_response_id', 'mutually_exclusive_parameters');
  }
  if (input.length === 0 && !conversationId && !previousResponseId) {
    const message = `One of "input" or "previous_response_id" or 'prompt' or 'conversation' must be provided.`;
    throw badRequest(message, 'input', 'missing_required_parameter');
  }
}

function parseConversation(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const id = isObject(value) ? value['id'] : value;
  if (typeof id !== 'string') throw invalidType('conversation', 'one of a string or an object', value);
  return id;
}

function parseTools(value: unknown): JsonObject[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidType('tools', 'an array of objects', value);
  return value.map((tool, index) => parseTool(tool, `tools[${index}]`));
}

function parseTool(tool: unknown, param: string): JsonObject {
  if (!isObject(tool)) throw invalidType(param, 'an object', tool);
  if (typeof tool['type'] !== 'string') throw missingParameter(`${param}.type`);
  const parse = toolParsers[tool['type']];
  return parse ? parse(tool, param) : tool;
}

/** Check the tools of each type and fill in their defaults. */
const toolParsers: Record<string, (tool: JsonObject, param: string) => JsonObject> = {
  function: (tool, param) => {
    parseRequiredText(tool, 'name', param);
    return { description: null, strict: true, ...tool };
  },
  mcp: (tool, param) => {
    parseRequiredText(tool, 'server_label', param);
    if (tool['connector_id'] === undefined) parseRequiredText(tool, 'server_url', param);
    return { allowed_tools: null, headers: null, require_approval: 'always', ...tool };
  },
  file_search: parseFileSearch,
  code_interpreter: (tool, param) => {
    if (tool['container'] === undefined) throw missingParameter(`${param}.container`);
    return tool;
  },
  web_search: (tool) => ({ filters: null, search_context_size: 'medium', user_location: null, ...tool }),
};

/** Maximum number of vector stores of one search. */
const maxSearchedStores = 2;

function parseFileSearch(tool: JsonObject, param: string): JsonObject {
  if (tool['vector_store_ids'] === undefined) throw missingParameter(`${param}.vector_store_ids`);
  if (!Array.isArray(tool['vector_store_ids'])) {
    throw invalidType(`${param}.vector_store_ids`, 'an array of strings', tool['vector_store_ids']);
  }
  // Not in the reference, but reported of the real API.
  if (tool['vector_store_ids'].length > maxSearchedStores) {
    throw badRequest(
      `A maximum of ${maxSearchedStores} vector stores is allowed.`,
      `${param}.vector_store_ids`,
    );
  }
  const ranking_options = { ranker: 'auto', score_threshold: 0 };
  return { filters: null, max_num_results: 20, ranking_options, ...tool };
}

function parseInclude(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidType('include', 'an array of strings', value);
  return value.map(String);
}

function parseObfuscation(options: unknown): boolean {
  if (options === undefined || options === null) return true;
  if (!isObject(options)) throw invalidType('stream_options', 'an object', options);
  return parseFlag(options, 'include_obfuscation', true);
}

function parseEcho(body: JsonObject): JsonObject {
  parseNumber(body, 'temperature', { min: 0, max: 2 });
  parseNumber(body, 'top_p', { min: 0, max: 1 });
  const echo = Object.entries(echoDefaults).map(([name, fallback]) => {
    const value = body[name] ?? fallback;
    if (isObject(fallback) && !isObject(value)) throw invalidType(name, 'an object', value);
    return [name, isObject(fallback) && isObject(value) ? { ...fallback, ...value } : value];
  });
  return Object.fromEntries(echo);
}
