import type { Engine } from './engine.ts';
import { badRequest } from './errors.ts';
import type { CreateRequest } from './types.ts';
import { hasStore } from './vectorStores.ts';

/** Checks that what a request refers to exists. @throws {ApiError} 400, as the real API. */
export function checkReferences(engine: Engine, { tools }: CreateRequest): void {
  for (const tool of tools) {
    const missing = storeIdsOf(tool).find((id) => !hasStore(engine, id));
    if (missing !== undefined) throw badRequest(`Vector store with id ['${missing}'] not found.`, 'tools');
  }
}

/** Returns the vector stores that a tool searches; none for a tool of another type. */
export function storeIdsOf(tool: CreateRequest['tools'][number]): string[] {
  const { type, vector_store_ids: ids } = tool;
  return type === 'file_search' && Array.isArray(ids) ? ids.map(String) : [];
}
