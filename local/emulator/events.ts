import type { ResponseFileSearchToolCall, ResponseOutputMessage } from 'openai/resources/responses/responses';
import type { Engine } from './engine.ts';
import { toVisible } from './items.ts';
import { answerOf, plannedEnd } from './lifecycle.ts';
import { toWireResponse } from './representation.ts';
import type { JsonObject, OutputItem, ResponseRecord } from './types.ts';

export interface TimedEvent {
  /** Unix milliseconds from which on a stream shows the event. */
  dueAtMs: number;
  type: string;
  sequence_number: number;
  body: JsonObject;
}

type Add = (share: number, type: string, body: JsonObject) => void;

/** The share of the run after which the search is over and the text begins. */
const searchShare = 0.15;

/** All events of a response in their order, the same at every call: also those of a cancelled one that came too late. */
export function eventsOf(engine: Engine, record: ResponseRecord): TimedEvent[] {
  const events: TimedEvent[] = [];
  const runMs = (record.endsAtMs ?? record.startsAtMs) - record.startsAtMs;
  const addAt = (dueAtMs: number, type: string, body: JsonObject) => {
    events.push({ dueAtMs, type, sequence_number: events.length, body });
  };
  const add: Add = (share, type, body) => addAt(record.startsAtMs + runMs * share, type, body);
  const first = record.request.background ? 'queued' : 'in_progress';
  addAt(record.createdAtMs, 'response.created', { response: toWireResponse(record, first) });
  if (first === 'queued')
    addAt(record.createdAtMs, 'response.queued', { response: toWireResponse(record, first) });
  add(0, 'response.in_progress', { response: toWireResponse(record, 'in_progress') });
  if (record.endsAtMs === null) return events;
  const end = plannedEnd(engine, record);
  if (end !== 'failed') {
    for (const [index, item] of answerOf(engine, record).output.entries()) {
      addItem(add, index, toVisible(item, record.request.include));
    }
  }
  add(1, `response.${end}`, { response: toWireResponse(record, end) });
  return events;
}

function addItem(add: Add, output_index: number, item: OutputItem): void {
  if (item.type === 'message') addMessage(add, output_index, item);
  else addSearchCall(add, output_index, item);
}

function addSearchCall(add: Add, output_index: number, item: ResponseFileSearchToolCall): void {
  const place = { output_index, item_id: item.id };
  const begun = { ...item, status: 'in_progress', queries: [], results: null };
  add(0, 'response.output_item.added', { output_index, item: begun });
  add(0, 'response.file_search_call.in_progress', place);
  add(0, 'response.file_search_call.searching', place);
  add(searchShare, 'response.file_search_call.completed', place);
  add(searchShare, 'response.output_item.done', { output_index, item });
}

function addMessage(add: Add, output_index: number, item: ResponseOutputMessage): void {
  const [part] = item.content;
  if (part?.type !== 'output_text') return;
  const place = { output_index, item_id: item.id, content_index: 0 };
  const begun = { ...item, status: 'in_progress', content: [] };
  add(searchShare, 'response.output_item.added', { output_index, item: begun });
  add(searchShare, 'response.content_part.added', { ...place, part: { ...part, text: '', annotations: [] } });
  addText(add, place, part.text);
  for (const [annotation_index, annotation] of part.annotations.entries()) {
    add(1, 'response.output_text.annotation.added', { ...place, annotation_index, annotation });
  }
  add(1, 'response.output_text.done', { ...place, text: part.text, logprobs: [] });
  add(1, 'response.content_part.done', { ...place, part });
  add(1, 'response.output_item.done', { output_index, item });
}

function addText(add: Add, place: JsonObject, text: string): void {
  const words = text.match(/\s*\S+|\s+$/g) ?? [];
  for (const [index, delta] of words.entries()) {
    const share = searchShare + ((1 - searchShare) * (index + 1)) / words.length;
    add(share, 'response.output_text.delta', { ...place, delta, logprobs: [] });
  }
}
