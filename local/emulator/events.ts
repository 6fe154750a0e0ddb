import type { Engine } from './engine.ts';
import { type Add, addItem } from './itemEvents.ts';
import { toVisible } from './items.ts';
import { outputOf, plannedEnd } from './lifecycle.ts';
import type { ErrorEventShape } from './outcomes.ts';
import { toWireResponse } from './representation.ts';
import type { JsonObject, OutputItem, ResponseRecord } from './types.ts';

export interface TimedEvent {
  /** When a stream sends the event, in Unix milliseconds. */
  dueAtMs: number;
  type: string;
  sequence_number: number;
  body: JsonObject;
}

/** Duration of the items that come before a message, relative to its duration. */
const weights: Partial<Record<OutputItem['type'], number>> = {
  file_search_call: 0.15 / 0.85,
  web_search_call: 0.15 / 0.85,
  mcp_list_tools: 0.05,
};

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
  const output = outputOf(engine, record);
  addItems(
    add,
    output.map((item) => toVisible(item, record.request.include)),
  );
  if (end === 'failed') addError(add, record);
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
  const total = items.reduce((sum, item) => sum + weightOf(item), 0);
  let begun = 0;
  for (const [index, item] of items.entries()) {
    const start = begun / total;
    const length = weightOf(item) / total;
    addItem((share, type, body) => add(start + length * share, type, body), index, item);
    begun += weightOf(item);
  }
}

const weightOf = (item: OutputItem): number => weights[item.type] ?? 1;
