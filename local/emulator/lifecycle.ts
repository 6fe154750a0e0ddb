import type { ResponseStatus } from 'openai/resources/responses/responses';
import { type Engine, wake } from './engine.ts';
import { conversationLocked, notFound } from './errors.ts';
import { newId } from './ids.ts';
import { checkCalls } from './openCalls.ts';
import type { Outcome } from './outcomes.ts';
import { composeResult } from './result.ts';
import type {
  Conversation,
  CreateRequest,
  EndStatus,
  Item,
  OutputItem,
  ResponseRecord,
  ResponseResult,
} from './types.ts';

/** Returns a conversation, up to date with its active response. @throws {ApiError} 404 */
export function findConversation(engine: Engine, id: string, param = 'conversation_id'): Conversation {
  const conversation = engine.conversations.get(id);
  if (!conversation) throw notFound('Conversation', id, param);
  const active = engine.responses.get(conversation.activeResponseId ?? '');
  if (active) settle(engine, active);
  if (active && !holdsLock(active)) unlock(engine, conversation);
  return conversation;
}

function holdsLock({ end, completesAtMs, unlocksAtMs }: ResponseRecord): boolean {
  return end === null || completesAtMs !== null || Date.now() < unlocksAtMs;
}

function unlock(engine: Engine, conversation: Conversation): void {
  conversation.activeResponseId = null;
  engine.storage.saveConversation(conversation);
}

/**
 * Creates a response and locks its conversation.
 * @throws {ApiError} 404 for an unknown conversation, 400 `conversation_locked` while another response is active, 400 for
 * a call without output, or an output without its call.
 */
export function startResponse(engine: Engine, request: CreateRequest): ResponseRecord {
  const { conversationId, background } = request;
  const conversation =
    conversationId === null ? null : findConversation(engine, conversationId, 'conversation');
  if (conversation?.activeResponseId) throw conversationLocked();
  checkCalls([...historyOf(engine, request), ...request.input]);
  const createdAtMs = Date.now();
  const { queueMs, runMs, visibleAfterMs } = engine.timing;
  const startsAtMs = createdAtMs + (background ? queueMs : 0);
  const outcome = takeOutcome(engine);
  const record: ResponseRecord = {
    id: newId('resp'),
    request,
    createdAtMs,
    startsAtMs,
    endsAtMs: outcome?.status === 'never' ? null : startsAtMs + runMs,
    visibleAtMs: createdAtMs + (background && request.stream ? visibleAfterMs : 0),
    cancelledAtMs: null,
    completesAtMs: null,
    unlocksAtMs: 0,
    outcome,
    result: null,
    inputAppended: conversation !== null && engine.behaviour.appendInput === 'creation',
    end: null,
    readable: request.store,
  };
  // Compose the output now, so that a stream resumed after a restart has the same events.
  if (request.stream) resultOf(engine, record);
  engine.responses.set(record.id, record);
  engine.storage.responses.save(record);
  if (conversation) {
    if (record.inputAppended) conversation.items.push(...request.input);
    conversation.activeResponseId = record.id;
    engine.storage.saveConversation(conversation);
  }
  return record;
}

function takeOutcome(engine: Engine): Outcome | null {
  const next = engine.outcomes[0];
  if (!next) return null;
  if (next.times !== null && --next.times === 0) engine.outcomes.shift();
  return next.outcome;
}

/** Returns the status: the recorded end, or else the status at the given time. */
export function statusOf(record: ResponseRecord, nowMs = Date.now()): ResponseStatus {
  if (record.end) return record.end.status;
  return record.startsAtMs !== null && nowMs >= record.startsAtMs ? 'in_progress' : 'queued';
}

/** Records the end of a response that is due, including a cancelled one that completes nevertheless. */
export function settle(engine: Engine, record: ResponseRecord): void {
  const dueAtMs = record.end ? record.completesAtMs : record.endsAtMs;
  if (dueAtMs === null || Date.now() < dueAtMs) return;
  if (record.end) {
    record.completesAtMs = null;
    record.startsAtMs = Math.min(record.startsAtMs ?? dueAtMs, dueAtMs);
    record.endsAtMs = dueAtMs;
  }
  finish(engine, record, plannedEnd(engine, record), dueAtMs);
}

/** Returns how the response will end unless it is cancelled. */
export function plannedEnd(engine: Engine, record: ResponseRecord): EndStatus {
  if (record.outcome?.status === 'failed') return 'failed';
  return resultOf(engine, record).incompleteReason ? 'incomplete' : 'completed';
}

/** Cancels an active response, and unlocks its conversation according to the timing. */
export function cancel(engine: Engine, record: ResponseRecord): void {
  settle(engine, record);
  if (record.end) return;
  const { unlockAfterCancelMs, completeAfterCancelMs } = engine.timing;
  const nowMs = Date.now();
  record.cancelledAtMs = nowMs;
  record.unlocksAtMs = nowMs + unlockAfterCancelMs;
  record.completesAtMs = completeAfterCancelMs === null ? null : nowMs + completeAfterCancelMs;
  finish(engine, record, 'cancelled', nowMs);
}

/** Strands a queued response: it stays queued, and its conversation locked, until it is cancelled. */
export function strand(engine: Engine, record: ResponseRecord): void {
  settle(engine, record);
  if (!engine.behaviour.strandDropped || statusOf(record) !== 'queued') return;
  record.startsAtMs = null;
  record.endsAtMs = null;
  engine.storage.responses.save(record);
  wake(engine, record.id);
}

/** Makes a response unreadable. An active one continues. */
export function forget(engine: Engine, record: ResponseRecord): void {
  record.readable = false;
  engine.storage.responses.save(record);
  wake(engine, record.id);
}

/** Returns the result of a response, composed on first use. */
export function resultOf(engine: Engine, record: ResponseRecord): ResponseResult {
  record.result ??= composeResult(engine, record, historyOf(engine, record.request, record.inputAppended));
  return record.result;
}

/** Returns the output of a response. One that fails has only the configured items. */
export function outputOf(engine: Engine, record: ResponseRecord): OutputItem[] {
  if (record.outcome?.status === 'failed' && record.outcome.output.length === 0) return [];
  return resultOf(engine, record).output;
}

/** Returns the items before a request. @param isAppended whether the conversation has the input of the request. */
function historyOf(engine: Engine, request: CreateRequest, isAppended = false): Item[] {
  if (request.conversationId) {
    const items = engine.conversations.get(request.conversationId)?.items ?? [];
    if (!isAppended) return items;
    const own = new Set(request.input.map(({ id }) => id));
    return items.filter(({ id }) => !own.has(id));
  }
  const previous = engine.responses.get(request.previousResponseId ?? '');
  if (!previous) return [];
  return [
    ...historyOf(engine, previous.request),
    ...previous.request.input,
    ...(previous.result?.output ?? []),
  ];
}

function finish(engine: Engine, record: ResponseRecord, status: EndStatus, atMs: number): void {
  // Before the end is visible, so that it is never visible without its output.
  if (status !== 'cancelled') outputOf(engine, record);
  record.end = { status, atMs };
  const conversation = engine.conversations.get(record.request.conversationId ?? '');
  if (conversation?.activeResponseId === record.id) {
    if (!holdsLock(record)) conversation.activeResponseId = null;
    if (status === 'completed' || status === 'incomplete') {
      const { output } = resultOf(engine, record);
      conversation.items.push(...(record.inputAppended ? output : [...record.request.input, ...output]));
    }
    engine.storage.saveConversation(conversation);
  }
  engine.storage.responses.save(record);
  wake(engine, record.id);
}
