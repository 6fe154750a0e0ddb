import type { EngineContent, EngineFile, EngineFiles } from '../engine/files.ts';
import { AppError } from '../errors.ts';
import { type ContainerFile, openGeneratedFile } from '../model/message.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { RunServices } from '../runs/runServices.ts';

/** Timeout of a call of the engine, in milliseconds. */
const callMs = 10_000;

/** A file that a code interpreter made in a thread. */
export interface ThreadFileKey {
  readonly threadKey: ThreadKey;
  readonly fileId: string;
}

type Services = RunServices & { readonly engineFiles: EngineFiles };

/**
 * Opens the content of a file that a code interpreter made in a thread.
 * @param signal closes it.
 * @throws {AppError} thread_not_found; file_not_found for an id that is not of this thread; file_expired when the engine
 * no longer has the container; rate_limited, unavailable, internal_error.
 */
export async function openThreadFile(
  services: Services,
  key: ThreadFileKey,
  signal: AbortSignal,
): Promise<EngineContent> {
  const file = await find(services, key);
  return services.engineFiles.openGenerated(file, services.deadline.remaining(callMs), signal);
}

/** Describes such a file. @throws {AppError} as {@link openThreadFile}. */
export async function findThreadFile(services: Services, key: ThreadFileKey): Promise<EngineFile> {
  const file = await find(services, key);
  return services.engineFiles.findGenerated(file, services.deadline.remaining(callMs));
}

/** Deletes such a file. Its thread keeps the reply that names it. @throws {AppError} as {@link openThreadFile}. */
export async function deleteThreadFile(services: Services, key: ThreadFileKey): Promise<void> {
  const file = await find(services, key);
  await services.engineFiles.removeGenerated(file, services.deadline.remaining(callMs));
}

async function find({ threads }: RunServices, { threadKey, fileId }: ThreadFileKey): Promise<ContainerFile> {
  const thread = await threads.find(threadKey);
  if (!thread) throw new AppError('thread_not_found');
  const file = openGeneratedFile(thread.value.conversationId, fileId);
  if (!file) throw new AppError('file_not_found');
  return file;
}
