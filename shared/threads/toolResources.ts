import { AppError } from '../errors.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import type { NamedVectorStore, ToolResources } from '../model/toolResources.ts';
import { retryConflicts } from '../retryConflicts.ts';
import { checkCodeFiles, findAttachments } from '../runs/attachments.ts';
import type { RunServices } from '../runs/runServices.ts';

/**
 * Replaces what the tools of a thread's runs use. What is absent stays.
 * @param resources with vector stores that the project is known to have.
 * @throws {AppError} thread_not_found, file_not_found, unavailable; invalid_request for more than 20 files.
 */
export async function setToolResources(
  services: RunServices,
  threadKey: ThreadKey,
  resources: ToolResources,
): Promise<Thread> {
  await findAttachments(services, threadKey.projectId, resources.codeFiles ?? []);
  return change(services, threadKey, () => resources);
}

/**
 * Adds files to those of a thread's code interpreters.
 * @param fileIds ids of files that the project is known to have.
 * @throws {AppError} thread_not_found, unavailable; invalid_request for more than 20 files.
 */
export async function addCodeFiles(
  services: RunServices,
  threadKey: ThreadKey,
  fileIds: readonly string[],
): Promise<void> {
  if (fileIds.length === 0) return;
  await change(services, threadKey, ({ codeFiles = [] }) => ({ codeFiles: [...codeFiles, ...fileIds] }));
}

/**
 * Names a vector store for a thread that names none.
 * @returns the one that the thread names.
 * @throws {AppError} thread_not_found, unavailable.
 */
export async function setDefaultVectorStore(
  services: RunServices,
  threadKey: ThreadKey,
  store: NamedVectorStore,
): Promise<NamedVectorStore> {
  const { vectorStores } = await change(services, threadKey, ({ vectorStores: [named] = [] }) => ({
    vectorStores: [named ?? store],
  }));
  return vectorStores?.[0] ?? store;
}

/** Names no vector store any more, if it is this one. @throws {AppError} thread_not_found, unavailable. */
export async function releaseVectorStore(
  services: RunServices,
  threadKey: ThreadKey,
  { vectorStoreId }: NamedVectorStore,
): Promise<void> {
  await change(services, threadKey, ({ vectorStores = [] }) => ({
    vectorStores: vectorStores.filter((named) => named.vectorStoreId !== vectorStoreId),
  }));
}

const change = (
  { threads }: RunServices,
  threadKey: ThreadKey,
  toChanges: (before: ToolResources) => ToolResources,
): Promise<Thread> =>
  retryConflicts(async () => {
    const stored = await threads.find(threadKey);
    if (!stored) throw new AppError('thread_not_found');
    const given = toChanges(stored.value);
    const changed = { ...given, ...(given.codeFiles && { codeFiles: checkCodeFiles(given.codeFiles) }) };
    const isSaved = await threads.setToolResources(stored, changed);
    return isSaved ? { ...stored.value, ...changed } : 'conflict';
  });
