import { badRequest } from './errors.ts';
import type { JsonObject, OrderedItem, OrderedPart, Outcome } from './types.ts';
import { isObject } from './validation.ts';

const phases = ['commentary', 'final_answer'];

/** Parses an outcome. @throws {ApiError} 400 for an unknown status, reason or item type. */
export function parseOutcome(outcome: unknown): Outcome {
  if (!isObject(outcome)) throw badRequest("'outcome' must be an object.", 'outcome');
  const { status, code = 'server_error', message = 'The model failed to answer.', reason } = outcome;
  if (status === 'never') return { status };
  if (status === 'failed') {
    const { errorEvent = null } = outcome;
    if (errorEvent !== null && errorEvent !== 'nested' && errorEvent !== 'flat') throw malformed();
    return { status, code: String(code), message: String(message), errorEvent };
  }
  if (status === 'incomplete' && (reason === 'max_output_tokens' || reason === 'content_filter')) {
    return { status, reason };
  }
  if (status === 'refusal') return toRefusal(outcome['text']);
  if (status === 'completed' && Array.isArray(outcome['output'])) {
    return { status, output: outcome['output'].map(parseItem) };
  }
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
    case 'mcp_approval_request':
      return isTexts([item['server_label'], item['name'], item['arguments']]);
    default:
      return false;
  }
}

function hasParts({ content }: JsonObject): boolean {
  return Array.isArray(content) && content.map(parsePart).length > 0;
}

function parsePart(part: unknown): OrderedPart {
  if (isObject(part)) {
    const { type, text, refusal } = part;
    if (type === 'output_text' && typeof text === 'string') return { type, text };
    if (type === 'refusal' && typeof refusal === 'string') return { type, refusal };
  }
  throw badRequest("A part is {type: 'output_text', text} or {type: 'refusal', refusal}.", 'outcome');
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
