import type { FileObject } from 'openai/resources/files';
import type { Engine } from './engine.ts';
import { badRequest, missingParameter } from './errors.ts';
import { addFile, contentOf, type FileRecord, findFile, noSuchFile } from './files.ts';
import { type Call, type HandlerResult, ok } from './http.ts';
import { pageOf } from './pages.ts';
import { detach } from './vectorStores.ts';

const purposes = ['assistants', 'batch', 'evals', 'fine-tune', 'user_data', 'vision'];
const undownloadablePurposes = ['assistants', 'user_data'];

/** Stores an uploaded file. */
export async function createFile(engine: Engine, { form }: Call): Promise<HandlerResult> {
  const file = form?.get('file');
  if (!(file instanceof File)) throw missingParameter('file');
  const purpose = form?.get('purpose');
  if (typeof purpose !== 'string') throw missingParameter('purpose');
  if (!purposes.includes(purpose)) {
    const expected = purposes.map((one) => `'${one}'`).join(', ');
    throw badRequest(
      `Invalid value: '${purpose}'. Supported values are: ${expected}.`,
      'purpose',
      'invalid_value',
    );
  }
  const content = Buffer.from(await file.arrayBuffer());
  const record = addFile(engine, {
    filename: file.name,
    purpose: purpose as FileRecord['purpose'],
    mediaType: file.type || 'application/octet-stream',
    content,
  });
  return ok(toWireFile(record));
}

export function listFiles(engine: Engine, { query }: Call): HandlerResult {
  const purpose = query.get('purpose');
  const files = [...engine.files.values()].filter((file) => purpose === null || file.purpose === purpose);
  return ok(pageOf(files.map(toWireFile), query, { fallback: 10_000, max: 10_000 }));
}

export function getFile(engine: Engine, { ids }: Call): HandlerResult {
  return ok(toWireFile(findFile(engine, ids[0] ?? '')));
}

/** Returns the bytes of a file. @throws {ApiError} 400 for some purposes, where the engine refuses downloads. */
export function getFileContent(engine: Engine, { ids }: Call): HandlerResult {
  const { id, purpose, filename } = findFile(engine, ids[0] ?? '');
  if (engine.behaviour.refuseDownloads && undownloadablePurposes.includes(purpose))
    throw badRequest(`Not allowed to download files of purpose: ${purpose}`);
  return { content: contentOf(engine, id), filename };
}

/** Deletes a file, also from the vector stores, unless they keep a stale entry. */
export function deleteFile(engine: Engine, { ids }: Call): HandlerResult {
  const file = engine.files.get(ids[0] ?? '');
  if (!file) throw noSuchFile(ids[0] ?? '');
  if (!engine.behaviour.keepDeletedFiles)
    for (const store of engine.vectorStores.values()) detach(engine, store, file.id);
  engine.files.delete(file.id);
  engine.storage.files.remove(file.id);
  engine.storage.contents.remove(file.id);
  return ok({ id: file.id, object: 'file', deleted: true });
}

function toWireFile({ id, filename, purpose, bytes, createdAt }: FileRecord) {
  return {
    object: 'file',
    id,
    purpose,
    filename,
    bytes,
    created_at: createdAt,
    expires_at: null,
    status: 'processed',
    status_details: null,
  } satisfies Omit<FileObject, 'expires_at' | 'status_details'> & Record<string, unknown>;
}
