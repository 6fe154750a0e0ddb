import { type Access, type AccessServices, authorizeProject } from '../auth/access.ts';
import { AppError } from '../errors.ts';
import { isRunId, isThreadId } from '../model/ids.ts';
import type { RunKey } from '../model/run.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { ApiRequest } from './endpoint.ts';

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

/** Authorizes a request for the project in its path. @throws {AppError} as {@link authorizeProject}. */
export const authorize = (request: ApiRequest, services: AccessServices): Promise<Access> =>
  authorizeProject(services, request.headers.get('Authorization'), request.params.projectId);

/**
 * Authorizes a request and validates the thread id in its path.
 * @throws {AppError} as {@link authorize}, then as {@link parseThreadId}.
 */
export async function authorizeThread(request: ApiRequest, services: AccessServices): Promise<ThreadAccess> {
  const access = await authorize(request, services);
  const threadId = parseThreadId(request.params.threadId);
  return { ...access, threadKey: { projectId: access.project.projectId, threadId } };
}

/**
 * Authorizes a request and validates the thread and run ids in its path.
 * @throws {AppError} as {@link authorizeThread}, then as {@link parseRunId}.
 */
export async function authorizeRun(request: ApiRequest, services: AccessServices): Promise<RunAccess> {
  const access = await authorizeThread(request, services);
  const runId = parseRunId(request.params.runId);
  return { ...access, runKey: { ...access.threadKey, runId } };
}
