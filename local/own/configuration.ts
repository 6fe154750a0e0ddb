import type { Assistant } from '../../shared/model/assistant.ts';
import { normalProjectId, type Project } from '../../shared/model/project.ts';
import type { ProjectStore } from '../../shared/storage/projectStore.ts';
import { describeChanges, type OwnState } from './changes.ts';
import { copyDocuments, listDocuments, withDocuments } from './documents.ts';
import { type OwnPaths, readOwnFiles } from './files.ts';

export interface OwnOptions {
  readonly paths: OwnPaths;
  /** The `ASSISTANTS` setting, or the demo's assistants. */
  readonly assistants: string;
  /** Whether these are the demo's, which yield to a file with the same id; the setting does not. */
  readonly demo: boolean;
  /** Where the emulator reads documents; undefined with another engine, which has vector stores of its own. */
  readonly documentsDir: string | undefined;
}

/** The developer's files as the running service uses them. */
export interface OwnConfiguration {
  readonly state: OwnState;
  /** All assistants, for the `ASSISTANTS` setting of the app. */
  readonly assistants: string;
  /**
   * Reads the files.
   * @returns what has changed, a line each.
   * @throws {OwnFilesError} when they are not valid; the state is then the former one.
   */
  read(): readonly string[];
  /** Stores the projects, with the documents in the folders named after them. */
  storeProjects(store: ProjectStore): Promise<void>;
}

/** Opens the developer's files, without reading them. */
export function openOwnConfiguration(options: OwnOptions): OwnConfiguration {
  const { paths, documentsDir } = options;
  const others = parseOthers(options.assistants);
  let state: OwnState = { assistants: [], projects: [], documents: new Map() };
  return {
    get state() {
      return state;
    },
    get assistants() {
      if (others === undefined) return options.assistants;
      const own = state.assistants;
      const without = <T extends Pick<Assistant, 'id'>>(
        list: readonly T[],
        taken: readonly Pick<Assistant, 'id'>[],
      ) => list.filter(({ id }) => !taken.some((assistant) => assistant.id === id));
      return JSON.stringify(
        options.demo ? [...without(others, own), ...own] : [...others, ...without(own, others)],
      );
    },
    read() {
      const files = readOwnFiles(paths, others?.map(({ id }) => id) ?? []);
      const documents = documentsDir === undefined ? state.documents : listDocuments(paths.documents);
      if (documentsDir !== undefined) copyDocuments(paths.documents, documentsDir);
      const after = { ...files, documents };
      const changes = describeChanges(state, after);
      state = after;
      return changes;
    },
    async storeProjects(store) {
      const stored = await store.list();
      const projects = new Map<string, Project>();
      for (const project of [...stored, ...state.projects])
        projects.set(normalProjectId(project.projectId), project);
      for (const project of projects.values()) {
        const complete = documentsDir === undefined ? project : withDocuments(project, paths.documents);
        if (!stored.some((other) => JSON.stringify(other) === JSON.stringify(complete)))
          await store.put(complete);
      }
    },
  };
}

/** Returns the assistants of the setting; undefined if it is malformed, which the app's own check reports. */
function parseOthers(text: string): readonly Pick<Assistant, 'id'>[] | undefined {
  try {
    const value = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item?.id === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}
