import type { FileObject } from 'openai/resources/files';
import type { Engine } from './engine.ts';
import { ApiError } from './errors.ts';
import { newId, toUnixSeconds } from './ids.ts';

/** An uploaded file; its bytes are in the storage's contents. `createdAt` in Unix seconds. */
export interface FileRecord {
  id: string;
  filename: string;
  purpose: FileObject['purpose'];
  bytes: number;
  /** Media type of the upload's part, or by the name's extension. */
  mediaType: string;
  createdAt: number;
}

/** Stores a file. */
export function addFile(
  engine: Engine,
  { content, ...file }: Omit<FileRecord, 'id' | 'bytes' | 'createdAt'> & { content: Buffer },
): FileRecord {
  const record = {
    id: newId('file'),
    ...file,
    bytes: content.length,
    createdAt: toUnixSeconds(Date.now()),
  };
  engine.storage.contents.write(record.id, content);
  engine.files.set(record.id, record);
  engine.storage.files.save(record);
  return record;
}

/** Returns an uploaded file, or one of the documents' folder. @throws {ApiError} 404 */
export function findFile(engine: Engine, id: string): FileRecord {
  const file = engine.files.get(id) ?? engine.folderStores.findFile(id);
  if (!file) throw noSuchFile(id);
  return file;
}

export const hasFile = (engine: Engine, id: string): boolean =>
  engine.files.has(id) || engine.folderStores.findFile(id) !== undefined;

export function contentOf(engine: Engine, id: string): Buffer {
  return engine.files.has(id) ? engine.storage.contents.read(id) : engine.folderStores.read(id);
}

export function noSuchFile(id: string): ApiError {
  return new ApiError(404, `No such File object: ${id}`, { param: 'id' });
}
