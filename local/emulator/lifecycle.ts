import type { ResponseStatus } from 'openai/resources/responses/responses';
import { composeAnswer } from './answer.ts';
import { type Engine, wake } from './engine.ts';
import { conversationLocked, notFound } from './errors.ts';
import { newId } from './ids.ts';
import type {
  Answer,
  Conversation,
  CreateRequest,
  EndStatus,
  Item,
  Outcome,
  ResponseRecord,
} from './types.ts';

/** The conversation, with what its response has added by now. @throws ApiError 404 */
export function findConversation(engine: Engine, id: string, param = 'conversation_id'): Conversation {
  const conversation = engine.conversations.get(id);
  if (!conversation) throw notFound('Conversation', id, param);
  const active = engine.responses.get(conversation.activeResponseId ?? '');
  if (active) settle(engine, active);
  return conversation;
}

/**
 * Creates a response and takes its conversation's lock.
 *
 * @throws ApiError 404 for an unknown conversation, 400 `conversation_locked` while another response runs on it
 */
export function startResponse(engine: Engine, request: CreateRequest): ResponseRecord {
  const { conversationId, background } = request;
  const conversation =
    conversationId === null ? null : findConversation(engine, conversationId, 'conversation');
  if (conversation?.activeResponseId) throw conversationLocked();
  const createdAtMs = Date.now();
  const startsAtMs = createdAtMs + (background ? engine.timing.queueMs : 0);
  const outcome = takeOutcome(engine);
  const record: ResponseRecord = {
    id: newId('resp'),
    request,
    createdAtMs,
    startsAtMs,
    endsAtMs: outcome?.status === 'never' ? null : startsAtMs + engine.timing.runMs,
    outcome,
    answer: null,
    end: null,
    readable: request.store,
  };
  // What a stream has sent must be the same when it is picked up after a restart.
  if (request.stream) answerOf(engine, record);
  engine.responses.set(record.id, record);
  engine.storage.saveResponse(record);
  if (conversation) {
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

/** The status by the end on record, else by the clock. */
export function statusOf(record: ResponseRecord, nowMs = Date.now()): ResponseStatus {
  return record.end?.status ?? (nowMs >= record.startsAtMs ? 'in_progress' : 'queued');
}

/** Records the end of a response whose time has come. */
export function settle(engine: Engine, record: ResponseRecord): void {
  if (record.end || record.endsAtMs === null || Date.now() < record.endsAtMs) return;
  finish(engine, record, plannedEnd(engine, record), record.endsAtMs);
}

/** How the response will end if it is left alone. */
export function plannedEnd(engine: Engine, record: ResponseRecord): EndStatus {
  if (record.outcome?.status === 'failed') return 'failed';
  return answerOf(engine, record).incompleteReason ? 'incomplete' : 'completed';
}

/** Ends a response that is still unfinished as `cancelled`, and frees its conversation. */
export function cancel(engine: Engine, record: ResponseRecord): void {
  settle(engine, record);
  if (!record.end) finish(engine, record, 'cancelled', Date.now());
}

/** Makes a response unreadable; it still runs to its end. */
export function forget(engine: Engine, record: ResponseRecord): void {
  record.readable = false;
  engine.storage.saveResponse(record);
  wake(engine, record.id);
}

/** The answer of a response, composed when it is first asked for. */
export function answerOf(engine: Engine, record: ResponseRecord): Answer {
  record.answer ??= composeAnswer(engine.documents, record, historyOf(engine, record.request));
  return record.answer;
}

function historyOf(engine: Engine, request: CreateRequest): Item[] {
  if (request.conversationId) return engine.conversations.get(request.conversationId)?.items ?? [];
  const previous = engine.responses.get(request.previousResponseId ?? '');
  if (!previous) return [];
  return [
    ...historyOf(engine, previous.request),
    ...previous.request.input,
    ...(previous.answer?.output ?? []),
  ];
}

function finish(engine: Engine, record: ResponseRecord, status: EndStatus, atMs: number): void {
  record.end = { status, atMs };
  const conversation = engine.conversations.get(record.request.conversationId ?? '');
  if (conversation?.activeResponseId === record.id) {
    conversation.activeResponseId = null;
    if (status === 'completed' || status === 'incomplete') {
      conversation.items.push(...record.request.input, ...answerOf(engine, record).output);
    }
    engine.storage.saveConversation(conversation);
  }
  engine.storage.saveResponse(record);
  wake(engine, record.id);
}
