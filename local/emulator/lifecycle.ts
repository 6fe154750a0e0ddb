import type { ResponseStatus } from 'openai/resources/responses/responses';
import { composeAnswer } from './answer.ts';
import { type Engine, wake } from './engine.ts';
import { badRequest, conversationLocked, notFound } from './errors.ts';
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
 * Creates a response and takes its conversation's lock.
 *
 * @throws ApiError 404 for an unknown conversation, 400 `conversation_locked` while another response runs on it,
 * 400 for a function call without its output or an output without its call
 */
export function startResponse(engine: Engine, request: CreateRequest): ResponseRecord {
  const { conversationId, background } = request;
  const conversation =
    conversationId === null ? null : findConversation(engine, conversationId, 'conversation');
  if (conversation?.activeResponseId) throw conversationLocked();
  checkFunctionCalls([...historyOf(engine, request), ...request.input]);
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
  if (record.end) return record.end.status;
  return record.startsAtMs !== null && nowMs >= record.startsAtMs ? 'in_progress' : 'queued';
}

/** Records the end of a response whose time has come, also of one that was cancelled in vain. */
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

/** How the response will end if it is left alone. */
export function plannedEnd(engine: Engine, record: ResponseRecord): EndStatus {
  if (record.outcome?.status === 'failed') return 'failed';
  return answerOf(engine, record).incompleteReason ? 'incomplete' : 'completed';
}

/** Ends a response that is still unfinished as `cancelled`, and frees its conversation when the timing says so. */
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

/** Leaves a response that is queued in the queue for good, its conversation locked, until it is cancelled. */
export function strand(engine: Engine, record: ResponseRecord): void {
  settle(engine, record);
  if (!engine.behaviour.strandDropped || statusOf(record) !== 'queued') return;
  record.startsAtMs = null;
  record.endsAtMs = null;
  engine.storage.saveResponse(record);
  wake(engine, record.id);
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

/** @throws ApiError 400 as the real API refuses a conversation in which a call waits for its output */
function checkFunctionCalls(items: readonly Item[]): void {
  const waiting = new Set<string>();
  for (const item of items) {
    if (item.type === 'function_call') waiting.add(item.call_id);
    if (item.type !== 'function_call_output') continue;
    const callId = String(item.call_id);
    if (!waiting.delete(callId))
      throw badRequest(`No tool call found for function call output with call_id ${callId}.`, 'input');
  }
  const [callId] = waiting;
  if (callId !== undefined) throw badRequest(`No tool output found for function call ${callId}.`, 'input');
}

function finish(engine: Engine, record: ResponseRecord, status: EndStatus, atMs: number): void {
  record.end = { status, atMs };
  const conversation = engine.conversations.get(record.request.conversationId ?? '');
  if (conversation?.activeResponseId === record.id) {
    if (!holdsLock(record)) conversation.activeResponseId = null;
    if (status === 'completed' || status === 'incomplete') {
      conversation.items.push(...record.request.input, ...answerOf(engine, record).output);
    }
    engine.storage.saveConversation(conversation);
  }
  engine.storage.saveResponse(record);
  wake(engine, record.id);
}
