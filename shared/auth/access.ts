import { AppError, type AppErrorOptions } from '../errors.ts';
import { isProjectId, normalProjectId, type Project } from '../model/project.ts';
import { type Caller, mayEdit, mayUse } from './caller.ts';
import type { Authenticate } from './token.ts';

/** An authorized caller and the project of the request. */
export interface Access {
  readonly caller: Caller;
  readonly project: Project;
}

/** Dependencies of {@link authorizeProject}. */
export interface AccessServices {
  readonly authenticate: Authenticate;
  readonly findProject: (projectId: string) => Promise<Project | undefined>;
}

/**
 * Authenticates the caller and checks access to the project.
 * @param credentials value of the `Authorization` header.
 * @param projectId project id from the request, in any spelling.
 * @throws {AppError} `unauthorized` or `token_expired`; `access_denied` when the caller has no access, the project does
 * not exist, or the id is malformed.
 */
export async function authorizeProject(
  { authenticate, findProject }: AccessServices,
  credentials: string | null,
  projectId: string | undefined,
): Promise<Access> {
  const caller = await authenticate(credentials);
  // The log does not repeat an id that names no project: it may be anything.
  if (!isProjectId(projectId)) throw denied({ reason: 'project_id_malformed' });
  const project = await findProject(normalProjectId(projectId));
  if (!project) throw denied({ reason: 'project_unknown' });
  if (!mayUse(caller, project)) throw denied({ reason: 'caller_not_granted', projectId: project.projectId });
  return { caller, project };
}

/** Checks that the caller may change what all members share. @throws {AppError} editor_required */
export function requireEditor({ caller, project }: Access): void {
  if (!mayEdit(caller, project)) throw new AppError('editor_required');
}

/** Creates the error of all three cases. The response is the same, so that it does not tell which projects exist. */
const denied = (logged: NonNullable<AppErrorOptions['logged']>) => new AppError('access_denied', { logged });
