import { randomBytes } from 'node:crypto';
import type { TableEntityResult } from '@azure/data-tables';
import { AppError } from '../errors.ts';
import { normalProjectId, type Project } from '../model/project.ts';
import { queryRows } from './pages.ts';
import { filter, roundTrip, type Table } from './tables.ts';

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

/** The row of a project's documents, apart from its record, which the operator replaces as a whole. */
interface DocumentsRow {
  vectorStoreId: string;
}

const rowKey = 'project';
const documentsRowKey = 'documents';
const secretRowKey = 'secret';

/** Store of project records. Ids are stored in normal form; any spelling is accepted. */
export interface ProjectStore {
  find(projectId: string): Promise<Project | undefined>;
  list(): Promise<Project[]>;
  /** Inserts or replaces a project. */
  put(project: Project): Promise<void>;
  /** Deletes a project. @returns whether it existed. */
  remove(projectId: string): Promise<boolean>;
  /**
   * Records the vector store of a project's documents, unless there is one.
   * @returns the recorded one.
   */
  addDocumentStore(projectId: string, vectorStoreId: string): Promise<string>;
  /** Returns the secret from which the ids of a project's files are derived; undefined before its first upload. */
  findSecret(projectId: string): Promise<string | undefined>;
  /** As {@link findSecret}, but creates the secret on first use. */
  openSecret(projectId: string): Promise<string>;
  /** Returns the vector store of a project's documents, whether or not the project still exists. */
  findDocumentStore(projectId: string): Promise<string | undefined>;
}

export function createProjectStore(table: Table): ProjectStore {
  const store: ProjectStore = {
    async find(projectId) {
      const rows = filter`PartitionKey eq ${normalProjectId(projectId)}`;
      const found = await queryRows<ProjectRow & DocumentsRow>(table, rows, 3);
      const record = found.rows.find((row) => row.rowKey === rowKey);
      const documentStoreId = found.rows.find((row) => row.rowKey === documentsRowKey)?.vectorStoreId;
      return record && { ...toProject(record), ...(documentStoreId !== undefined && { documentStoreId }) };
    },
    async list() {
      const projects: Project[] = [];
      const queryOptions = { filter: filter`RowKey eq ${rowKey}` };
      for await (const row of (await table()).listEntities<ProjectRow>({ queryOptions })) {
        projects.push(toProject(row));
      }
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
    async addDocumentStore(projectId, vectorStoreId) {
      const row = { partitionKey: normalProjectId(projectId), rowKey: documentsRowKey, vectorStoreId };
      const result = await roundTrip(table, (client, options) => client.createEntity(row, options));
      if (typeof result === 'object') return vectorStoreId;
      const recorded = await store.findDocumentStore(projectId);
      if (recorded === undefined) throw new AppError('unavailable');
      return recorded;
    },
    async findSecret(projectId) {
      const row = await roundTrip(table, (client, options) =>
        client.getEntity<{ secret: string }>(normalProjectId(projectId), secretRowKey, options),
      );
      return typeof row === 'object' ? row.secret : undefined;
    },
    async openSecret(projectId) {
      const known = await store.findSecret(projectId);
      if (known !== undefined) return known;
      const secret = randomBytes(32).toString('base64url');
      const row = { partitionKey: normalProjectId(projectId), rowKey: secretRowKey, secret };
      const result = await roundTrip(table, (client, options) => client.createEntity(row, options));
      if (typeof result === 'object') return secret;
      // Another request was first, or the client repeated its own.
      const recorded = await store.findSecret(projectId);
      if (recorded === undefined) throw new AppError('unavailable');
      return recorded;
    },
    async findDocumentStore(projectId) {
      const row = await roundTrip(table, (client, options) =>
        client.getEntity<DocumentsRow>(normalProjectId(projectId), documentsRowKey, options),
      );
      return typeof row === 'object' ? row.vectorStoreId : undefined;
    },
  };
  return store;
}

function toRow({
  projectId,
  members,
  groups,
  editors,
  vectorStoreIds,
  documentStoreId: _,
  ...rest
}: Project) {
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
