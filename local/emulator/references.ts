import { attachmentsOf, imageOf } from './attachments.ts';
import { interpreterOf, isUsable } from './containers.ts';
import type { Engine } from './engine.ts';
import { badRequest } from './errors.ts';
import type { CreateRequest, Item } from './types.ts';
import { hasStore } from './vectorStores.ts';

/** Checks that what a request refers to exists. @throws {ApiError} 400, as the real API. */
export function checkReferences(engine: Engine, { tools, input }: CreateRequest): void {
  for (const tool of tools) {
    const missing = storeIdsOf(tool).find((id) => !hasStore(engine, id));
    if (missing !== undefined) throw badRequest(`Vector store with id ['${missing}'] not found.`, 'tools');
  }
  const { named, fileIds } = interpreterOf(tools);
  if (named !== null && !isUsable(engine, named)) throw badRequest('Container is expired.', 'tools');
  for (const id of fileIds) checkFile(engine, id, 'tools');
  checkAttachments(engine, input);
}

/** Returns the vector stores that a tool searches; none for a tool of another type. */
export function storeIdsOf(tool: CreateRequest['tools'][number]): string[] {
  const { type, vector_store_ids: ids } = tool;
  return type === 'file_search' && Array.isArray(ids) ? ids.map(String) : [];
}

function checkAttachments(engine: Engine, input: readonly Item[]): void {
  for (const part of attachmentsOf(input)) {
    if (typeof part['file_id'] === 'string') checkFile(engine, part['file_id'], 'input');
    if (part['type'] !== 'input_image' || imageOf(engine, part) !== null) continue;
    const message =
      "The image data you provided does not represent a valid image. Please check your input and try again with one of the supported image formats: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'].";
    throw badRequest(message, 'input', 'invalid_image_format');
  }
}

function checkFile(engine: Engine, id: string, param: string): void {
  if (engine.files.has(id) || engine.folderStores.findFile(id)) return;
  throw badRequest(`No such File object: ${id}`, param);
}
