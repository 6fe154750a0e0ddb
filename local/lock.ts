import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const lockFile = (folder: string) => join(folder, 'lock.sqlite');

/**
 * Locks a folder, so that a second process cannot overwrite its data. Uses an SQLite file lock, which the operating
 * system releases when the process ends.
 * @returns a function that releases the lock.
 * @throws {Error} when another process holds it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  // Whoever only asks whether the folder is locked holds it for an instant.
  const database = new DatabaseSync(lockFile(folder), { timeout: 200 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch {
    database.close();
    throw new Error(
      'another process is using this data folder; stop it first, or set LOCAL_DATA_DIR to a different folder',
    );
  }
  return async () => database.close();
}

/** Returns whether a process holds the lock of a folder. */
export function isLocked(folder: string): boolean {
  if (!existsSync(lockFile(folder))) return false;
  const database = new DatabaseSync(lockFile(folder), { timeout: 0, readOnly: true });
  try {
    database.prepare('SELECT 1 FROM sqlite_schema').all();
    return false;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === sqliteBusy) return true;
    throw error;
  } finally {
    database.close();
  }
}

/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5;
