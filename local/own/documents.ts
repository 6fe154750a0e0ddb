import { cpSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { normalProjectId, type Project } from '../../shared/model/project.ts';

/* The documents that the emulator searches: the demo's, and the developer's in a folder for each vector store. */

const demoDocuments = fileURLToPath(new URL('../demo/documents', import.meta.url));

/**
 * Copies the documents to where the emulator reads them: the demo's into the folder itself, and each folder of the
 * developer's into a folder of the same name, which is the id of a vector store.
 */
export function copyDocuments(own: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  cpSync(demoDocuments, target, { recursive: true });
  for (const name of documentFolders(own)) {
    cpSync(join(own, name), join(target, normalProjectId(name)), { recursive: true, dereference: true });
  }
}

/** Returns a project that also searches the documents in the folder with its id. */
export function withDocuments(project: Project, own: string): Project {
  const storeId = normalProjectId(project.projectId);
  const present = documentFolders(own).some((name) => normalProjectId(name) === storeId);
  const stores = project.vectorStoreIds ?? [];
  if (!present || stores.includes(storeId)) return project;
  return { ...project, vectorStoreIds: [...stores, storeId] };
}

const documentFolders = (own: string): string[] =>
  existsSync(own)
    ? readdirSync(own, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
        .map(({ name }) => name)
    : [];

/** The documents in a folder. */
export interface Documents {
  readonly count: number;
  /** Differs after any change. */
  readonly fingerprint: string;
}

/** Returns what is in each folder of documents, by its name. */
export const listDocuments = (own: string): ReadonlyMap<string, Documents> =>
  new Map(documentFolders(own).map((name) => [name, describeFolder(join(own, name))]));

function describeFolder(folder: string): Documents {
  // The emulator searches the files directly in a folder.
  const files = readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .map((name) => ({ name, stats: statSync(join(folder, name), { throwIfNoEntry: false }) }))
    .filter(({ stats }) => stats?.isFile());
  const fingerprint = files.map(({ name, stats }) => `${name} ${stats?.mtimeMs} ${stats?.size}`).join('\n');
  return { count: files.length, fingerprint };
}
