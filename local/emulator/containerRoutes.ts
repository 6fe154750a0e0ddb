import type { ContainerRetrieveResponse } from 'openai/resources/containers';
import type { FileRetrieveResponse } from 'openai/resources/containers/files';
import { addContainer, type ContainerFile, type ContainerRecord, findContainer } from './containers.ts';
import type { Engine } from './engine.ts';
import { ApiError, invalidType } from './errors.ts';
import { findFile } from './files.ts';
import { type Call, type HandlerResult, ok } from './http.ts';
import { pageOf } from './pages.ts';
import { parseRequiredText, rejectUnknown } from './validation.ts';

export function createContainer(engine: Engine, { body }: Call): HandlerResult {
  rejectUnknown(body, new Set(['expires_after', 'file_ids', 'memory_limit', 'name', 'network_policy']));
  const name = parseRequiredText(body, 'name');
  const { file_ids: ids = [] } = body;
  if (!Array.isArray(ids)) throw invalidType('file_ids', 'an array of strings', ids);
  for (const id of ids) findFile(engine, String(id));
  return ok(toWireContainer(addContainer(engine, name, ids.map(String))));
}

export function listContainers(engine: Engine, { query }: Call): HandlerResult {
  const containers = [...engine.containers.values()].filter(({ isExpired }) => !isExpired);
  return ok(pageOf(containers.map(toWireContainer), query));
}

export function getContainer(engine: Engine, { ids }: Call): HandlerResult {
  return ok(toWireContainer(findContainer(engine, ids[0] ?? '')));
}

export function deleteContainer(engine: Engine, { ids }: Call): HandlerResult {
  const { id, files } = findContainer(engine, ids[0] ?? '');
  for (const file of files) engine.storage.contents.remove(file.id);
  engine.containers.delete(id);
  engine.storage.containers.remove(id);
  return ok({ id, object: 'container.deleted', deleted: true });
}

export function listContainerFiles(engine: Engine, { ids, query }: Call): HandlerResult {
  const container = findContainer(engine, ids[0] ?? '');
  return ok(
    pageOf(
      container.files.map((file) => toWireFile(container, file)),
      query,
    ),
  );
}

export function getContainerFile(engine: Engine, { ids }: Call): HandlerResult {
  const container = findContainer(engine, ids[0] ?? '');
  return ok(toWireFile(container, findContainerFile(container, ids[1] ?? '')));
}

export function getContainerFileContent(engine: Engine, { ids }: Call): HandlerResult {
  const { id, filename } = findContainerFile(findContainer(engine, ids[0] ?? ''), ids[1] ?? '');
  return { content: engine.storage.contents.read(id), filename };
}

export function deleteContainerFile(engine: Engine, { ids }: Call): HandlerResult {
  const container = findContainer(engine, ids[0] ?? '');
  const { id } = findContainerFile(container, ids[1] ?? '');
  container.files = container.files.filter((file) => file.id !== id);
  engine.storage.contents.remove(id);
  engine.storage.containers.save(container);
  return ok({ id, object: 'container.file.deleted', deleted: true });
}

function findContainerFile({ files }: ContainerRecord, id: string): ContainerFile {
  const file = files.find((one) => one.id === id);
  if (!file) throw new ApiError(404, `Container file with id '${id}' not found.`, { param: 'file_id' });
  return file;
}

function toWireContainer({ id, name, createdAt }: ContainerRecord) {
  return {
    id,
    object: 'container',
    created_at: createdAt,
    status: 'running',
    expires_after: { anchor: 'last_active_at', minutes: 20 },
    last_active_at: createdAt,
    name,
  } satisfies ContainerRetrieveResponse;
}

function toWireFile(container: ContainerRecord, file: ContainerFile) {
  return {
    id: file.id,
    object: 'container.file',
    created_at: file.createdAt,
    bytes: file.bytes,
    container_id: container.id,
    path: `/mnt/data/${file.filename}`,
    source: file.source,
  } satisfies FileRetrieveResponse;
}
