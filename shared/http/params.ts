import { type Access, type AccessServices, authorizeProject } from '../auth/access.ts';
import { AppError } from '../errors.ts';
import { isRunId, isThreadId } from '../model/ids.ts';
import type { RunKey } from '../model/run.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { ApiRequest } from './endpoint.ts';

/** @throws {AppError} thread_not_found for an id that no thread can have. */
export function parseThreadId(value: string | undefined): string {
  if (!isThreadId(value)) throw new AppError('thread_not_found');
  return value;
}

/** @throws {AppError} run_not_found for an id that no run can have. */
export function parseRunId(value: string | undefined): string {
  if (!isRunId(value)) throw new AppError('run_not_found');
  return value;
}

/** A request's caller and project, with the thread that it names. */
export interface ThreadAccess extends Access {
  readonly threadKey: ThreadKey;
}

/** The same with the run that it names. */
export interface RunAccess extends ThreadAccess {
  readonly runKey: RunKey;
}

/** Authorizes a request for the project in its path: the first step of every route. @throws as {@link authorizeProject}. */
export const authorize = (request: ApiRequest, services: AccessServices): Promise<Access> =>
  authorizeProject(services, request.headers.get('Authorization'), request.params.projectId);

/**
 * Authorizes a request, then reads the id of the thread in its path.
 * @throws {AppError} as {@link authorize}; then as {@link parseThreadId}.
 */
export async function authorizeThread(request: ApiRequest, services: AccessServices): Promise<ThreadAccess> {
  const access = await authorize(request, services);
  const threadId = parseThreadId(request.params.threadId);
  return { ...access, threadKey: { projectId: access.project.projectId, threadId } };
}

/**
 * Authorizes a request, then reads the ids of the thread and the run in its path.
 * @throws {AppError} as {@link authorizeThread}; then as {@link parseRunId}.
 */
export async function authorizeRun(request: ApiRequest, services: AccessServices): Promise<RunAccess> {
  const access = await authorizeThread(request, services);
  const runId = parseRunId(request.params.runId);
  return { ...access, runKey: { ...access.threadKey, runId } };
}
