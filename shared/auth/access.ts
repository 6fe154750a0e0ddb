import type { ApiRequest } from '../http/endpoint.ts';
import { AppError } from '../http/errors.ts';
import { isProjectId, type Project } from '../projects/project.ts';
import type { Services } from '../services.ts';
import { mayUse } from './caller.ts';

/**
 * The project of the request, when its caller may use it: the first step of every route.
 * @throws {AppError} `unauthorized` or `token_expired`; then `access_denied`, the same for a project that
 * is not the caller's, does not exist, or cannot exist.
 */
export async function openProject(request: ApiRequest, services: Services): Promise<Project> {
  const caller = await services.authenticate(request.headers.get('Authorization'));
  const { projectId } = request.params;
  const project = isProjectId(projectId) ? await services.findProject(projectId) : undefined;
  if (!project || !mayUse(caller, project)) throw new AppError('access_denied');
  return project;
}
