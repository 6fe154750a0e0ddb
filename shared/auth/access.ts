import { AppError } from '../errors.ts';
import type { ApiRequest } from '../http/endpoint.ts';
import { isProjectId, normalProjectId, type Project } from '../model/project.ts';
import type { Services } from '../services.ts';
import { type Caller, mayUse } from './caller.ts';

/** A caller with the project that the request is about. */
export interface Access {
  readonly caller: Caller;
  readonly project: Project;
}

/**
 * Authenticates the caller and finds the project of the request: the first step of every route.
 * @throws {AppError} `unauthorized` or `token_expired`; then `access_denied`, the same for a project that
 * is not the caller's, does not exist, or cannot exist.
 */
export async function authorizeProject(request: ApiRequest, services: Services): Promise<Access> {
  const caller = await services.authenticate(request.headers.get('Authorization'));
  const { projectId } = request.params;
  const project = isProjectId(projectId) ? await services.findProject(normalProjectId(projectId)) : undefined;
  if (!project || !mayUse(caller, project)) throw new AppError('access_denied');
  return { caller, project };
}

/** The project of the request, for routes to whom the caller does not matter further. @throws as {@link authorizeProject}. */
export const openProject = async (request: ApiRequest, services: Services): Promise<Project> =>
  (await authorizeProject(request, services)).project;
