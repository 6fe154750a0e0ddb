import schema from './project.schema.json' with { type: 'json' };

/** A project record, as described by `project.schema.json`. */
export interface Project {
  readonly projectId: string;
  readonly name: string;
  readonly assistantId: string;
  /** `sub` or `oid` of callers with access to the project. */
  readonly members: readonly string[];
  readonly groups: readonly string[];
  /** `sub` or `oid` of callers, or values of their `groups`, who may change what all members share. */
  readonly editors?: readonly string[];
  /** Added after the assistant's own instructions. */
  readonly instructions?: string;
  /** Searched in addition to the assistant's own. */
  readonly vectorStoreIds?: readonly string[];
  /** The vector store of the project's documents, kept by the service. Never leaves it. */
  readonly documentStoreId?: string;
}

const projectIdPattern = new RegExp(schema.items.properties.projectId.pattern);

export const isProjectId = (value: string | undefined): value is string =>
  value !== undefined && projectIdPattern.test(value);

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Returns the normal form of a project id: GUIDs are case-insensitive, other ids case-sensitive. */
export const normalProjectId = (projectId: string): string =>
  guid.test(projectId) ? projectId.toLowerCase() : projectId;
