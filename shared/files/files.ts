import type { EngineContent, EngineFile, EngineFiles } from '../engine/files.ts';
import { AppError, fieldError } from '../errors.ts';
import { type FileKey, type FilePurpose, isImage, type StoredFile, type Upload } from '../model/file.ts';
import { openFileId, sealFileId } from '../model/fileId.ts';
import type { FilePageRequest } from '../storage/fileStore.ts';
import { acceptContent } from './acceptContent.ts';
import type { FileServices } from './fileServices.ts';
import { findCursor, ignoreMissing, listKnown } from './listKnown.ts';
import { undo } from './undo.ts';

/** A file of a project, with the name that the engine keeps. */
export interface ProjectFile extends StoredFile {
  readonly name: string;
}

/** Timeout of the engine's calls but uploads, in milliseconds. */
const callMs = 10_000;

/**
 * Passes a file on to the engine while it arrives, and records it.
 * @param signal aborts when the client disconnects; the file is then removed again, since nobody knows its id.
 * @param readPurpose called once the whole form has arrived. What it throws rejects the upload. By default the purpose
 * follows from the content.
 * @throws {AppError} invalid_request, unsupported_media_type, file_too_large, rate_limited, unavailable,
 * internal_error; the file then does not exist. Also what the content throws.
 */
export async function uploadFile(
  services: FileServices,
  projectId: string,
  upload: Upload,
  signal: AbortSignal,
  readPurpose?: () => FilePurpose,
): Promise<ProjectFile> {
  const { files, fileSecrets, engineFiles, deadline } = services;
  const startedAt = performance.now();
  const secret = await fileSecrets.open(projectId);
  let purpose: FilePurpose | undefined;
  const withPurpose = async function* () {
    yield* upload.content;
    purpose = readPurpose?.();
  };
  const accepted = await acceptContent({ name: upload.name, content: withPurpose() });
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
    purpose: purpose ?? (isImage(accepted.mediaType) ? 'vision' : 'assistants'),
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
const undoUpload = ({ workerStores, engineFiles, log }: FileServices, file: StoredFile) =>
  undo({ event: 'upload_not_undone', projectId: file.projectId }, log, (timeoutMs) => [
    workerStores.files.remove(file),
    removeFromEngine(engineFiles, file, timeoutMs),
  ]);

/**
 * Returns a file of a project.
 * @throws {AppError} file_not_found, rate_limited, unavailable, internal_error.
 */
export async function findFile(services: FileServices, fileKey: FileKey): Promise<ProjectFile> {
  const file = await findStored(services, fileKey);
  const { name } = await services.engineFiles.find(file.engineFileId, services.deadline.remaining(callMs));
  return { ...file, name };
}

/**
 * Returns a page of a project's files, without those that the engine no longer has. Their names are read from the engine,
 * one by one.
 * @param page `after` is the id of a file.
 * @throws {AppError} invalid_request when `after` is no id of the project; rate_limited, unavailable, internal_error.
 */
export async function listFiles(
  { files, fileSecrets, engineFiles, deadline }: FileServices,
  projectId: string,
  { after, limit, ...page }: Omit<FilePageRequest, 'after'> & { readonly after: string | undefined },
): Promise<{ readonly items: readonly ProjectFile[]; readonly hasMore: boolean }> {
  const start = await findCursor(
    after,
    (fileId) => files.find({ projectId, fileId }),
    async (fileId) => {
      const secret = await fileSecrets.find(projectId);
      return secret !== undefined && openFileId(secret, fileId) !== undefined;
    },
  );
  return listKnown(limit, start, {
    read: (rows, last) => files.list(projectId, { ...page, limit: rows, after: last }),
    async describe(file): Promise<ProjectFile | undefined> {
      const known = await engineFiles
        .find(file.engineFileId, deadline.remaining(callMs))
        .catch(ignoreMissing);
      return known && { ...file, name: known.name };
    },
  });
}

/**
 * Returns what the engine tells about a file that a reply cites: a document, or a file of a vector store that the operator
 * configured. Such a file is none of the project's, so it can be neither read nor deleted.
 * @throws {AppError} file_not_found for an id not of the project; rate_limited, unavailable, internal_error.
 */
export async function findCitedFile(
  { fileSecrets, engineFiles, deadline }: FileServices,
  projectId: string,
  fileId: string,
): Promise<EngineFile> {
  const secret = await fileSecrets.find(projectId);
  const engineFileId = secret && openFileId(secret, fileId);
  if (!engineFileId) throw new AppError('file_not_found');
  return engineFiles.find(engineFileId, deadline.remaining(callMs));
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
  const [{ name }, opened] = await Promise.all([
    services.engineFiles.find(file.engineFileId, timeoutMs),
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
  await services.files.remove(file);
}

async function findStored({ files }: FileServices, fileKey: FileKey): Promise<StoredFile> {
  const file = await files.find(fileKey);
  if (!file) throw new AppError('file_not_found');
  return file;
}

/** Removes a file from the engine, unless it is gone already. */
const removeFromEngine = (engineFiles: EngineFiles, { engineFileId }: StoredFile, timeoutMs: number) =>
  engineFiles.remove(engineFileId, timeoutMs).catch(ignoreMissing);
