import schema from './project.schema.json' with { type: 'json' };

/** What a project's record says; `project.schema.json` describes it. */
export interface Project {
  readonly projectId: string;
  readonly name: string;
  readonly assistantId: string;
  /** `sub` or `oid` of those who may use the project. */
  readonly members: readonly string[];
  readonly groups: readonly string[];
  /** Added after the assistant's own instructions. */
  readonly instructions?: string;
  /** Searched besides the assistant's own. */
  readonly vectorStoreIds?: readonly string[];
}

const projectIdPattern = new RegExp(schema.items.properties.projectId.pattern);

export const isProjectId = (value: string | undefined): value is string =>
  value !== undefined && projectIdPattern.test(value);

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The one spelling of a project id: GUIDs compare without regard to case, all other ids with it. */
export const normalProjectId = (projectId: string): string =>
  guid.test(projectId) ? projectId.toLowerCase() : projectId;
