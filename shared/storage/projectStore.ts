import type { TableEntityResult } from '@azure/data-tables';
import { normalProjectId, type Project } from '../model/project.ts';
import { roundTrip, type Table } from './tables.ts';

/** A project's row. Lists are stored as JSON, because table columns are scalar. */
interface ProjectRow {
  name: string;
  assistantId: string;
  members: string;
  groups: string;
  editors?: string;
  instructions?: string;
  vectorStoreIds?: string;
}

const rowKey = 'project';

/** Store of project records. Ids are stored in normal form; any spelling is accepted. */
export interface ProjectStore {
  find(projectId: string): Promise<Project | undefined>;
  list(): Promise<Project[]>;
  /** Inserts or replaces a project. */
  put(project: Project): Promise<void>;
  /** Deletes a project. @returns whether it existed. */
  remove(projectId: string): Promise<boolean>;
}

export function createProjectStore(table: Table): ProjectStore {
  return {
    async find(projectId) {
      const row = await roundTrip(table, (client, options) =>
        client.getEntity<ProjectRow>(normalProjectId(projectId), rowKey, options),
      );
      return typeof row === 'object' ? toProject(row) : undefined;
    },
    async list() {
      const projects: Project[] = [];
      for await (const row of (await table()).listEntities<ProjectRow>()) projects.push(toProject(row));
      return projects;
    },
    async put(project) {
      await roundTrip(table, (client, options) => client.upsertEntity(toRow(project), 'Replace', options));
    },
    async remove(projectId) {
      return (
        (await roundTrip(table, (client, options) =>
          client.deleteEntity(normalProjectId(projectId), rowKey, options),
        )) !== 'absent'
      );
    },
  };
}

function toRow({ projectId, members, groups, editors, vectorStoreIds, ...rest }: Project) {
  return {
    partitionKey: normalProjectId(projectId),
    rowKey,
    ...rest,
    members: JSON.stringify(members),
    groups: JSON.stringify(groups),
    ...(editors && { editors: JSON.stringify(editors) }),
    ...(vectorStoreIds && { vectorStoreIds: JSON.stringify(vectorStoreIds) }),
  };
}

function toProject(row: TableEntityResult<ProjectRow>): Project {
  return {
    projectId: row.partitionKey ?? '',
    name: row.name,
    assistantId: row.assistantId,
    members: JSON.parse(row.members),
    groups: JSON.parse(row.groups),
    ...(row.editors !== undefined && { editors: JSON.parse(row.editors) }),
    ...(row.instructions !== undefined && { instructions: row.instructions }),
    ...(row.vectorStoreIds !== undefined && { vectorStoreIds: JSON.parse(row.vectorStoreIds) }),
  };
}
