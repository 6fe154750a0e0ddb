import type {
  ResponseFileSearchToolCall,
  ResponseFunctionToolCallItem,
  ResponseOutputMessage,
  ResponseOutputRefusal,
  ResponseOutputText,
  ResponseReasoningItem,
} from 'openai/resources/responses/responses';
import type { Engine } from './engine.ts';
import { toVisible } from './items.ts';
import { plannedEnd, resultOf } from './lifecycle.ts';
import { toWireResponse } from './representation.ts';
import type { ErrorEventShape, JsonObject, OutputItem, ResponseRecord } from './types.ts';

export interface TimedEvent {
  /** When a stream sends the event, in Unix milliseconds. */
  dueAtMs: number;
  type: string;
  sequence_number: number;
  body: JsonObject;
}

/** Adds an event at a fraction (0 to 1) of the duration of the run, or of one item. */
type Add = (share: number, type: string, body: JsonObject) => void;

/** Duration of a file search, relative to that of a message. */
const searchWeight = 0.15 / 0.85;

/** Returns all events of a response in order, including those after a cancellation. Deterministic. */
export function eventsOf(engine: Engine, record: ResponseRecord): TimedEvent[] {
  const events: TimedEvent[] = [];
  const addAt = (dueAtMs: number, type: string, body: JsonObject) => {
    events.push({ dueAtMs, type, sequence_number: events.length, body });
  };
  const first = record.request.background ? 'queued' : 'in_progress';
  addAt(record.createdAtMs, 'response.created', { response: toWireResponse(record, first) });
  if (first === 'queued')
    addAt(record.createdAtMs, 'response.queued', { response: toWireResponse(record, first) });
  const { startsAtMs, endsAtMs } = record;
  if (startsAtMs === null) return events;
  const runMs = (endsAtMs ?? startsAtMs) - startsAtMs;
  const add: Add = (share, type, body) => addAt(startsAtMs + runMs * Math.min(1, share), type, body);
  add(0, 'response.in_progress', { response: toWireResponse(record, 'in_progress') });
  if (endsAtMs === null) return events;
  const end = plannedEnd(engine, record);
  if (end === 'failed') addError(add, record);
  else {
    const { output } = resultOf(engine, record);
    addItems(
      add,
      output.map((item) => toVisible(item, record.request.include)),
    );
  }
  add(1, `response.${end}`, { response: toWireResponse(record, end) });
  return events;
}

/** Returns the fields of an `error` event in one of its two shapes. */
export function errorBody(shape: ErrorEventShape, code: string, message: string, type = code): JsonObject {
  if (shape === 'flat') return { code, message, param: null };
  return { error: { type, code, message, param: null } };
}

function addError(add: Add, { outcome }: ResponseRecord): void {
  if (outcome?.status !== 'failed' || outcome.errorEvent === null) return;
  add(1, 'error', errorBody(outcome.errorEvent, outcome.code, outcome.message));
}

/** Adds the events of items, dividing the duration of the run among them. */
function addItems(add: Add, items: readonly OutputItem[]): void {
  const weights = items.map((item) => (item.type === 'file_search_call' ? searchWeight : 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let begun = 0;
  for (const [index, item] of items.entries()) {
    const start = begun / total;
    const length = (weights[index] ?? 0) / total;
    addItem((share, type, body) => add(start + length * share, type, body), index, item);
    begun += weights[index] ?? 0;
  }
}

function addItem(add: Add, output_index: number, item: OutputItem): void {
  const place = { output_index, item_id: item.id };
  add(0, 'response.output_item.added', { output_index, item: toBegun(item) });
  if (item.type === 'message') addMessage(add, place, item);
  if (item.type === 'reasoning') addReasoning(add, place, item);
  if (item.type === 'file_search_call') addSearchCall(add, place);
  if (item.type === 'function_call') addFunctionCall(add, place, item);
  add(1, 'response.output_item.done', { output_index, item });
}

/** Returns an item as announced, before its content. Approval requests are announced complete. */
function toBegun(item: OutputItem): OutputItem {
  switch (item.type) {
    case 'message':
      return { ...item, status: 'in_progress', content: [] };
    case 'reasoning':
      return { id: item.id, type: item.type, summary: [] };
    case 'file_search_call':
      return toBegunSearch(item);
    case 'function_call':
      return { ...item, status: 'in_progress', arguments: '' };
    case 'mcp_approval_request':
      return item;
  }
}

function toBegunSearch(item: ResponseFileSearchToolCall): ResponseFileSearchToolCall {
  return { ...item, status: 'in_progress', queries: [], results: null };
}

function addSearchCall(add: Add, place: JsonObject): void {
  add(0, 'response.file_search_call.in_progress', place);
  add(0, 'response.file_search_call.searching', place);
  add(1, 'response.file_search_call.completed', place);
}

function addFunctionCall(add: Add, place: JsonObject, item: ResponseFunctionToolCallItem): void {
  const pieces = item.arguments.match(/[^\w\s]+|\s*\w+|\s+/g) ?? [];
  for (const [index, delta] of pieces.entries())
    add((index + 1) / pieces.length, 'response.function_call_arguments.delta', { ...place, delta });
  add(1, 'response.function_call_arguments.done', { ...place, arguments: item.arguments });
}

function addReasoning(add: Add, place: JsonObject, { summary, content = [] }: ResponseReasoningItem): void {
  const count = summary.length + content.length;
  const partOf = (index: number): Add => {
    return (share, type, body) => add((index + share) / count, type, body);
  };
  for (const [summary_index, part] of summary.entries()) {
    const addPart = partOf(summary_index);
    const at = { ...place, summary_index };
    addPart(0, 'response.reasoning_summary_part.added', { ...at, part: { ...part, text: '' } });
    addWords(addPart, 'response.reasoning_summary_text.delta', at, part.text);
    addPart(1, 'response.reasoning_summary_text.done', { ...at, text: part.text });
    addPart(1, 'response.reasoning_summary_part.done', { ...at, part });
  }
  for (const [content_index, part] of content.entries()) {
    const addPart = partOf(summary.length + content_index);
    const at = { ...place, content_index };
    addPart(0, 'response.content_part.added', { ...at, part: { ...part, text: '' } });
    addWords(addPart, 'response.reasoning_text.delta', at, part.text);
    addPart(1, 'response.reasoning_text.done', { ...at, text: part.text });
    addPart(1, 'response.content_part.done', { ...at, part });
  }
}

function addMessage(add: Add, place: JsonObject, { content }: ResponseOutputMessage): void {
  for (const [content_index, part] of content.entries()) {
    const addPart: Add = (share, type, body) => add((content_index + share) / content.length, type, body);
    const at = { ...place, content_index };
    if (part.type === 'refusal') addRefusal(addPart, at, part);
    else addText(addPart, at, part);
  }
}

function addRefusal(add: Add, at: JsonObject, part: ResponseOutputRefusal): void {
  add(0, 'response.content_part.added', { ...at, part: { ...part, refusal: '' } });
  addWords(add, 'response.refusal.delta', at, part.refusal);
  add(1, 'response.refusal.done', { ...at, refusal: part.refusal });
  add(1, 'response.content_part.done', { ...at, part });
}

/** Adds the events of a text part. Each annotation follows the text that it refers to. */
function addText(add: Add, at: JsonObject, part: ResponseOutputText): void {
  add(0, 'response.content_part.added', { ...at, part: { ...part, text: '', annotations: [] } });
  let annotated = 0;
  const addAnnotations = (share: number, length: number) => {
    for (; annotated < part.annotations.length; annotated += 1) {
      const annotation = part.annotations[annotated];
      if (annotation?.type !== 'file_citation' || annotation.index > length) return;
      const body = { ...at, annotation_index: annotated, annotation };
      add(share, 'response.output_text.annotation.added', body);
    }
  };
  addWords(add, 'response.output_text.delta', { ...at, logprobs: [] }, part.text, addAnnotations);
  add(1, 'response.output_text.done', { ...at, text: part.text, logprobs: [] });
  add(1, 'response.content_part.done', { ...at, part });
}

function addWords(
  add: Add,
  type: string,
  at: JsonObject,
  text: string,
  afterDelta: (share: number, length: number) => void = () => undefined,
): void {
  const words = text.match(/\s*\S+|\s+$/g) ?? [];
  let length = 0;
  for (const [index, delta] of words.entries()) {
    const share = (index + 1) / words.length;
    add(share, type, { ...at, delta });
    length += delta.length;
    afterDelta(share, length);
  }
}
