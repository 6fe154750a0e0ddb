import { AppError } from '../errors.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { checkCodeFiles, findAttachments } from '../runs/attachments.ts';
import type { RunServices } from '../runs/runServices.ts';

/** Maximum attempts to change a thread. An attempt is repeated only after a concurrent change. */
const maxChanges = 10;

/**
 * Replaces the files of a thread's code interpreters.
 * @throws {AppError} thread_not_found, file_not_found, unavailable; invalid_request for more than 20 files.
 */
export async function setCodeFiles(
  services: RunServices,
  threadKey: ThreadKey,
  fileIds: readonly string[],
): Promise<Thread> {
  await findAttachments(services, threadKey.projectId, fileIds);
  return change(services, threadKey, () => fileIds);
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
  await change(services, threadKey, (before) => [...before, ...fileIds]);
}

async function change(
  { threads }: RunServices,
  threadKey: ThreadKey,
  changed: (before: readonly string[]) => readonly string[],
): Promise<Thread> {
  for (let changes = 0; changes < maxChanges; changes++) {
    const stored = await threads.find(threadKey);
    if (!stored) throw new AppError('thread_not_found');
    const { codeFiles: before = [], ...thread } = stored.value;
    const codeFiles = checkCodeFiles(changed(before));
    if (await threads.setCodeFiles(stored, codeFiles)) return { ...thread, codeFiles };
  }
  throw new AppError('unavailable');
}
