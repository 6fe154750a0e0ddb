import type { JWTPayload } from 'jose';
import { normalProjectId, type Project } from '../model/project.ts';

/** Who sent the request, as far as a verified token says. */
export interface Caller {
  /** The token's `sub` and, from Entra ID, `oid`: what a project's `members` may list. */
  readonly ids: readonly string[];
  readonly groups: readonly string[];
  /** Projects that the issuer itself grants, by their ids in normal form. */
  readonly projects: readonly string[];
  /** When the token ends, in Unix milliseconds. */
  readonly expiresAt: number;
}

/** Reads the claims of a verified token; a claim of another shape than expected grants nothing. */
export function toCaller(claims: JWTPayload): Caller {
  return {
    ids: [claims.sub, claims['oid']].filter((id) => typeof id === 'string' && id !== '') as string[],
    groups: strings(claims['groups']),
    projects: strings(claims['projects']).map(normalProjectId),
    expiresAt: (claims.exp ?? 0) * 1000,
  };
}

/** The access rule: granted by the token's `projects`, or by the project's `members` or `groups`. */
export function mayUse(caller: Caller, project: Project): boolean {
  return (
    caller.projects.includes(project.projectId) ||
    caller.ids.some((id) => project.members.includes(id)) ||
    caller.groups.some((group) => project.groups.includes(group))
  );
}

const strings = (claim: unknown): string[] =>
  Array.isArray(claim) ? claim.filter((value) => typeof value === 'string') : [];
