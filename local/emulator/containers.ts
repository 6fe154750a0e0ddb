import type { Engine } from './engine.ts';
import { ApiError } from './errors.ts';
import { contentOf, findFile } from './files.ts';
import { newId, toUnixSeconds } from './ids.ts';
import type { CreateRequest, Item, JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/** A container in which a code interpreter runs. `createdAt` in Unix seconds. */
export interface ContainerRecord {
  id: string;
  name: string;
  createdAt: number;
  /** An expired container is gone for clients. */
  isExpired: boolean;
  files: ContainerFile[];
}

/** A file of a container; its bytes are in the storage's contents. */
export interface ContainerFile {
  id: string;
  filename: string;
  bytes: number;
  createdAt: number;
  source: 'user' | 'assistant';
}

/** Returns a container that has not expired. @throws {ApiError} 404 */
export function findContainer(engine: Engine, id: string): ContainerRecord {
  const container = engine.containers.get(id);
  if (!container || container.isExpired)
    throw new ApiError(404, `Container with id '${id}' not found.`, { param: 'container_id' });
  return container;
}

export function isUsable(engine: Engine, containerId: string): boolean {
  return engine.containers.get(containerId)?.isExpired === false;
}

/** Creates a container with copies of uploaded files. */
export function addContainer(engine: Engine, name: string, fileIds: readonly string[]): ContainerRecord {
  const createdAt = toUnixSeconds(Date.now());
  const container = { id: newId('cntr'), name, createdAt, isExpired: false, files: [] };
  engine.containers.set(container.id, container);
  for (const id of fileIds) {
    const { filename } = findFile(engine, id);
    addContainerFile(engine, container, filename, contentOf(engine, id), 'user');
  }
  engine.storage.containers.save(container);
  return container;
}

/** Stores a file in a container. */
export function addContainerFile(
  engine: Engine,
  container: ContainerRecord,
  filename: string,
  content: Buffer,
  source: ContainerFile['source'] = 'assistant',
): ContainerFile {
  const createdAt = toUnixSeconds(Date.now());
  const file = { id: newId('cfile'), filename, bytes: content.length, createdAt, source };
  engine.storage.contents.write(file.id, content);
  container.files.push(file);
  engine.storage.containers.save(container);
  return file;
}

/** Returns the container that a request names, the last one of the conversation, or else a new one. */
export function containerFor(
  engine: Engine,
  request: CreateRequest,
  history: readonly Item[],
): ContainerRecord {
  const { named, fileIds } = interpreterOf(request.tools);
  if (named !== null) return findContainer(engine, named);
  const last = history.findLast((item) => item.type === 'code_interpreter_call');
  const known = last?.type === 'code_interpreter_call' ? engine.containers.get(last.container_id) : undefined;
  if (!known || known.isExpired) return addContainer(engine, 'auto', fileIds);
  const names = new Set(known.files.map(({ filename }) => filename));
  for (const file of fileIds.map((id) => findFile(engine, id))) {
    if (!names.has(file.filename))
      addContainerFile(engine, known, file.filename, contentOf(engine, file.id), 'user');
  }
  return known;
}

/** Returns the container that the code interpreter of a request names, or the files that a new one gets. */
export function interpreterOf(tools: readonly JsonObject[]): { named: string | null; fileIds: string[] } {
  const container = tools.find((tool) => tool['type'] === 'code_interpreter')?.['container'];
  if (typeof container === 'string') return { named: container, fileIds: [] };
  const fileIds = isObject(container) ? container['file_ids'] : undefined;
  return { named: null, fileIds: Array.isArray(fileIds) ? fileIds.map(String) : [] };
}

/** Lets a container, or all of them, expire. */
export function expireContainers(engine: Engine, id?: string): void {
  const containers = id === undefined ? [...engine.containers.values()] : [findContainer(engine, id)];
  for (const container of containers) {
    container.isExpired = true;
    engine.storage.containers.save(container);
    for (const file of container.files) engine.storage.contents.remove(file.id);
  }
}
