import { scheduler } from 'node:timers/promises';
import type { EngineContent, EngineFiles } from '../engine/files.ts';
import { AppError, fieldError } from '../errors.ts';
import type { FileKey, StoredFile, Upload } from '../model/file.ts';
import { sealFileId } from '../model/fileId.ts';
import { acceptContent } from './acceptContent.ts';
import type { FileServices } from './fileServices.ts';

/** A file of a project, with the name that the engine keeps. */
export interface ProjectFile extends StoredFile {
  readonly name: string;
}

/** Timeout of the engine's calls but uploads, in milliseconds. */
const callMs = 10_000;

/** Timeout of each step that undoes an upload, in milliseconds. */
const undoMs = 5_000;

/** How often undoing an upload is tried. */
const maxUndos = 4;

/**
 * Passes a file on to the engine while it arrives, and records it.
 * @param signal aborts when the client disconnects; the file is then removed again, since nobody knows its id.
 * @throws {AppError} invalid_request, unsupported_media_type, file_too_large, rate_limited, unavailable,
 * internal_error; the file then does not exist. Also what the content throws.
 */
export async function uploadFile(
  services: FileServices,
  projectId: string,
  upload: Upload,
  signal: AbortSignal,
): Promise<ProjectFile> {
  const { files, fileSecrets, engineFiles, deadline } = services;
  const startedAt = performance.now();
  const secret = await fileSecrets.open(projectId);
  const accepted = await acceptContent(upload);
  const engineFileId = await engineFiles.upload(accepted);
  // The client's own time, which it may take.
  deadline.extend(performance.now() - startedAt);
  const file: StoredFile = {
    projectId,
    fileId: sealFileId(secret, engineFileId),
    engineFileId,
    mediaType: accepted.mediaType,
    bytes: accepted.bytes(),
    createdAt: new Date(),
  };
  try {
    await files.add(file);
    if (signal.aborted) throw fieldError('$', 'The request ended before its response.');
  } catch (error) {
    void undoUpload(services, file);
    throw error;
  }
  return { ...file, name: accepted.name };
}

/** Removes a file that nobody knows. Its row first: a file without a row does not exist for anybody. */
async function undoUpload(services: FileServices, file: StoredFile): Promise<void> {
  const { workerStores, engineFiles, log } = services;
  for (let undos = 0; undos < maxUndos; undos++) {
    if (undos > 0) await scheduler.wait(undoMs);
    try {
      await Promise.all([workerStores.files.remove(file), removeFromEngine(engineFiles, file, undoMs)]);
      return;
    } catch {
      // Tried again.
    }
  }
  log({ event: 'upload_not_undone', projectId: file.projectId });
}

/**
 * Returns a file of a project.
 * @throws {AppError} file_not_found, rate_limited, unavailable, internal_error.
 */
export async function findFile(services: FileServices, fileKey: FileKey): Promise<ProjectFile> {
  const file = await findStored(services, fileKey);
  const name = await services.engineFiles.findName(file.engineFileId, services.deadline.remaining(callMs));
  return { ...file, name };
}

/**
 * Opens the content of a file.
 * @param signal closes it.
 * @throws {AppError} file_not_found, file_not_readable, rate_limited, unavailable, internal_error.
 */
export async function openFile(
  services: FileServices,
  fileKey: FileKey,
  signal: AbortSignal,
): Promise<StoredFile & EngineContent & { name: string }> {
  const file = await findStored(services, fileKey);
  const timeoutMs = services.deadline.remaining(callMs);
  const [name, opened] = await Promise.all([
    services.engineFiles.findName(file.engineFileId, timeoutMs),
    services.engineFiles.open(file.engineFileId, timeoutMs, signal),
  ]);
  return { ...opened, ...file, name };
}

/**
 * Deletes a file. If a step fails, another call completes the deletion.
 * @throws {AppError} file_not_found, rate_limited, unavailable, internal_error.
 */
export async function deleteFile(services: FileServices, fileKey: FileKey): Promise<void> {
  const file = await findStored(services, fileKey);
  await removeFromEngine(services.engineFiles, file, services.deadline.remaining(callMs));
  await services.files.remove(fileKey);
}

async function findStored({ files }: FileServices, fileKey: FileKey): Promise<StoredFile> {
  const file = await files.find(fileKey);
  if (!file) throw new AppError('file_not_found');
  return file;
}

/** Removes a file from the engine, unless it is gone already. */
const removeFromEngine = (engineFiles: EngineFiles, { engineFileId }: StoredFile, timeoutMs: number) =>
  engineFiles.remove(engineFileId, timeoutMs).catch((error) => {
    if (!(error instanceof AppError && error.code === 'file_not_found')) throw error;
  });
