import { type Access, type AccessServices, authorizeProject } from '../auth/access.ts';
import { AppError } from '../errors.ts';
import { isRunId, isThreadId } from '../model/ids.ts';
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

/** The caller, project and thread of a request. */
export interface ThreadAccess extends Access {
  readonly threadKey: ThreadKey;
}

/** The caller, project, thread and run of a request. */
export interface RunAccess extends ThreadAccess {
  readonly runKey: RunKey;
}

type AuthorizeContext = AccessServices & Pick<RequestContext, 'note'>;

/** Authorizes a request for the project in its path. @throws {AppError} as {@link authorizeProject}. */
export async function authorize(request: ApiRequest, context: AuthorizeContext): Promise<Access> {
  const credentials = request.headers.get('Authorization');
  const access = await authorizeProject(context, credentials, request.params.projectId);
  context.note({ projectId: access.project.projectId });
  return access;
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
