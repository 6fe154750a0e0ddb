import type { JWTPayload } from 'jose';
import { normalProjectId, type Project } from '../model/project.ts';

/** The authenticated caller, from the claims of a verified token. */
export interface Caller {
  /** The token's `sub` and, with Entra ID, `oid`; matched against a project's `members`. */
  readonly ids: readonly string[];
  readonly groups: readonly string[];
  /** Normalized ids of the projects that the token grants. */
  readonly projects: readonly string[];
  /** Expiry of the token, in Unix milliseconds. */
  readonly expiresAt: number;
}

/** Creates the caller from the claims of a verified token. Malformed claims grant nothing. */
export function toCaller(claims: JWTPayload): Caller {
  return {
    ids: [claims.sub, claims['oid']].filter((id) => typeof id === 'string' && id !== '') as string[],
    groups: strings(claims['groups']),
    projects: strings(claims['projects']).map(normalProjectId),
    expiresAt: (claims.exp ?? 0) * 1000,
  };
}

/** Returns whether the caller may use the project: by the token's `projects`, or the project's `members` or `groups`. */
export function mayUse(caller: Caller, project: Project): boolean {
  return (
    caller.projects.includes(project.projectId) ||
    caller.ids.some((id) => project.members.includes(id)) ||
    caller.groups.some((group) => project.groups.includes(group))
  );
}

/** Returns whether the caller may change what all members of the project share. */
export const mayEdit = ({ ids, groups }: Caller, { editors = [] }: Project): boolean =>
  [...ids, ...groups].some((name) => editors.includes(name));

const strings = (claim: unknown): string[] =>
  Array.isArray(claim) ? claim.filter((value) => typeof value === 'string') : [];
