import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FileRecord } from './files.ts';
import { fileIdOf, toUnixSeconds } from './ids.ts';

/** The vector store of the files directly in the documents' folder. */
const defaultStoreId = 'vs_demo';

/** Vector stores whose files are in a folder, read when they are needed: changes count at once. */
export interface FolderStores {
  /** Returns the files of a store; null if there is no such store. */
  list(storeId: string): FolderFile[] | null;
  storeIds(): string[];
  findFile(fileId: string): FolderFile | undefined;
  read(fileId: string): Buffer;
}

export interface FolderFile extends FileRecord {
  path: string;
  modifiedAtMs: number;
}

/**
 * Opens the stores in a folder: the files directly in it are the store `vs_demo`, those of each sub-folder a store with
 * the folder's name as its id. Files whose name begins with a dot are ignored.
 */
export function openFolderStores(folder: string): FolderStores {
  const folderOf = (storeId: string) => (storeId === defaultStoreId ? folder : join(folder, storeId));
  const subfolders = () =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name);
  const storeIds = () => [...new Set([defaultStoreId, ...subfolders()])];
  const list = (storeId: string) => (storeIds().includes(storeId) ? listFolder(folderOf(storeId)) : null);
  const findFile = (fileId: string) =>
    storeIds()
      .flatMap((storeId) => list(storeId) ?? [])
      .find(({ id }) => id === fileId);
  /** Ids of the default store's files are derived from their names only. */
  const listFolder = (path: string): FolderFile[] => {
    if (!existsSync(path)) return [];
    const names = readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
    return names.map((name) => toFile(join(path, name), path === folder ? name : join(path, name), name));
  };
  return {
    list,
    storeIds,
    findFile,
    read: (fileId) => {
      const file = findFile(fileId);
      return file ? readFileSync(file.path) : Buffer.alloc(0);
    },
  };
}

function toFile(path: string, key: string, filename: string): FolderFile {
  const { size, mtimeMs } = statSync(path);
  return {
    id: fileIdOf(key),
    filename,
    purpose: 'assistants',
    bytes: size,
    mediaType: 'text/plain',
    createdAt: toUnixSeconds(mtimeMs),
    path,
    modifiedAtMs: mtimeMs,
  };
}
