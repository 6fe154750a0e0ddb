import type { Engine } from './engine.ts';
import { notFound } from './errors.ts';
import { type Call, type HandlerResult, ok } from './http.ts';
import { newId, toUnixSeconds } from './ids.ts';
import { includesOf, parseItems, toPage, toVisible } from './items.ts';
import { findConversation } from './lifecycle.ts';
import { toList } from './pages.ts';
import { toWireConversation } from './representation.ts';
import type { Conversation, Item } from './types.ts';
import { parseMetadata, rejectUnknown } from './validation.ts';

export function createConversation(engine: Engine, { body }: Call): HandlerResult {
  rejectUnknown(body, new Set(['items', 'metadata']));
  const conversation: Conversation = {
    id: newId('conv'),
    createdAt: toUnixSeconds(Date.now()),
    metadata: parseMetadata(body['metadata']),
    items: parseItems(body['items'] ?? []),
    activeResponseId: null,
  };
  engine.conversations.set(conversation.id, conversation);
  engine.storage.saveConversation(conversation);
  return ok(toWireConversation(conversation));
}

export function getConversation(engine: Engine, { ids }: Call): HandlerResult {
  return ok(toWireConversation(findConversation(engine, ids[0] ?? '')));
}

/** Replaces all metadata, as the real API does. */
export function updateConversation(engine: Engine, { ids, body }: Call): HandlerResult {
  rejectUnknown(body, new Set(['metadata']));
  const conversation = findConversation(engine, ids[0] ?? '');
  conversation.metadata = parseMetadata(body['metadata']);
  engine.storage.saveConversation(conversation);
  return ok(toWireConversation(conversation));
}

/** Deletes a conversation. An active response continues, but has nothing to append to. */
export function deleteConversation(engine: Engine, { ids }: Call): HandlerResult {
  const { id } = findConversation(engine, ids[0] ?? '');
  engine.conversations.delete(id);
  engine.storage.deleteConversation(id);
  return ok({ id, object: 'conversation.deleted', deleted: true });
}

export function createItems(engine: Engine, { ids, body, query }: Call): HandlerResult {
  const conversation = findConversation(engine, ids[0] ?? '');
  rejectUnknown(body, new Set(['items']));
  const items = parseItems(body['items']);
  conversation.items.push(...items);
  engine.storage.saveConversation(conversation);
  return ok(toList(items.map((item) => toVisible(item, includesOf(query)))));
}

export function listItems(engine: Engine, { ids, query }: Call): HandlerResult {
  return ok(toPage(findConversation(engine, ids[0] ?? '').items, query));
}

export function getItem(engine: Engine, { ids, query }: Call): HandlerResult {
  return ok(toVisible(findItem(findConversation(engine, ids[0] ?? ''), ids[1] ?? ''), includesOf(query)));
}

export function deleteItem(engine: Engine, { ids }: Call): HandlerResult {
  const conversation = findConversation(engine, ids[0] ?? '');
  const item = findItem(conversation, ids[1] ?? '');
  conversation.items = conversation.items.filter((other) => other !== item);
  engine.storage.saveConversation(conversation);
  return ok(toWireConversation(conversation));
}

function findItem({ items }: Conversation, id: string): Item {
  const item = items.find((candidate) => candidate.id === id);
  if (!item) throw notFound('Item', id, 'item_id');
  return item;
}
