import { AppError } from '../errors.ts';
import { isProjectId, normalProjectId, type Project } from '../model/project.ts';
import { type Caller, mayUse } from './caller.ts';
import type { Authenticate } from './token.ts';

/** A caller with the project that the request is about. */
export interface Access {
  readonly caller: Caller;
  readonly project: Project;
}

/** What access is decided with. */
export interface AccessServices {
  readonly authenticate: Authenticate;
  readonly findProject: (projectId: string) => Promise<Project | undefined>;
}

/**
 * Authenticates the caller, then finds the project.
 * @param credentials value of the `Authorization` header.
 * @param projectId as the request names it.
 * @throws {AppError} `unauthorized` or `token_expired`; then `access_denied`, the same for a project that
 * is not the caller's, does not exist, or cannot exist.
 */
export async function authorizeProject(
  { authenticate, findProject }: AccessServices,
  credentials: string | null,
  projectId: string | undefined,
): Promise<Access> {
  const caller = await authenticate(credentials);
  const project = isProjectId(projectId) ? await findProject(normalProjectId(projectId)) : undefined;
  if (!project || !mayUse(caller, project)) throw new AppError('access_denied');
  return { caller, project };
}
