import { type Access, type AccessServices, authorizeProject, requireEditor } from '../auth/access.ts';
import { AppError } from '../errors.ts';
import type { FileKey } from '../model/file.ts';
import { isDocumentId, isFileId, isRunId, isThreadId } from '../model/ids.ts';
import type { RunKey } from '../model/run.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { ApiRequest, RequestContext } from './endpoint.ts';

/** Validates a thread id. @throws {AppError} thread_not_found for a malformed one. */
export function parseThreadId(value: string | undefined): string {
  if (!isThreadId(value)) throw new AppError('thread_not_found');
  return value;
}

/** Validates a run id. @throws {AppError} run_not_found for a malformed one. */
export function parseRunId(value: string | undefined): string {
  if (!isRunId(value)) throw new AppError('run_not_found');
  return value;
}

/** Validates a file id. @throws {AppError} file_not_found for a malformed one. */
function parseFileId(value: string | undefined): string {
  if (!isFileId(value)) throw new AppError('file_not_found');
  return value;
}

/** The caller, project and thread of a request. */
export interface ThreadAccess extends Access {
  readonly threadKey: ThreadKey;
}

/** The caller, project, thread and run of a request. */
export interface RunAccess extends ThreadAccess {
  readonly runKey: RunKey;
}

/** The caller, project and file of a request. */
export interface FileAccess extends Access {
  readonly fileKey: FileKey;
}

/** The caller, project and thread of a request, and a file of that thread. */
export interface ThreadFileAccess extends ThreadAccess {
  readonly fileId: string;
}

type AuthorizeContext = AccessServices & Pick<RequestContext, 'note'>;

/** Authorizes a request for the project in its path. @throws {AppError} as {@link authorizeProject}. */
export async function authorize(request: ApiRequest, context: AuthorizeContext): Promise<Access> {
  const credentials = request.headers.get('Authorization');
  const access = await authorizeProject(context, credentials, request.params.projectId);
  context.note({ projectId: access.project.projectId });
  return access;
}

/** Authorizes a request that only editors may send. @throws {AppError} as {@link authorize}, then editor_required. */
export async function authorizeEditor(request: ApiRequest, context: AuthorizeContext): Promise<Access> {
  const access = await authorize(request, context);
  requireEditor(access);
  return access;
}

/** Validates a document id. @throws {AppError} document_not_found for a malformed one. */
export function parseDocumentId(value: string | undefined): string {
  if (!isDocumentId(value)) throw new AppError('document_not_found');
  return value;
}

/**
 * Authorizes a request and validates the thread id in its path.
 * @throws {AppError} as {@link authorize}, then as {@link parseThreadId}.
 */
export async function authorizeThread(request: ApiRequest, context: AuthorizeContext): Promise<ThreadAccess> {
  const access = await authorize(request, context);
  const threadId = parseThreadId(request.params.threadId);
  context.note({ threadId });
  return { ...access, threadKey: { projectId: access.project.projectId, threadId } };
}

/**
 * Authorizes a request and validates the thread and run ids in its path.
 * @throws {AppError} as {@link authorizeThread}, then as {@link parseRunId}.
 */
export async function authorizeRun(request: ApiRequest, context: AuthorizeContext): Promise<RunAccess> {
  const access = await authorizeThread(request, context);
  const runId = parseRunId(request.params.runId);
  context.note({ runId });
  return { ...access, runKey: { ...access.threadKey, runId } };
}

/**
 * Authorizes a request and validates the file id in its path.
 * @throws {AppError} as {@link authorize}, then file_not_found for a malformed id.
 */
export async function authorizeFile(request: ApiRequest, context: AuthorizeContext): Promise<FileAccess> {
  const access = await authorize(request, context);
  const fileId = parseFileId(request.params.fileId);
  return { ...access, fileKey: { projectId: access.project.projectId, fileId } };
}

/**
 * Authorizes a request and validates the thread and file ids in its path.
 * @throws {AppError} as {@link authorizeThread}, then file_not_found for a malformed id.
 */
export async function authorizeThreadFile(
  request: ApiRequest,
  context: AuthorizeContext,
): Promise<ThreadFileAccess> {
  const access = await authorizeThread(request, context);
  return { ...access, fileId: parseFileId(request.params.fileId) };
}
