import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Locks a folder, so that a second process cannot overwrite its data. Uses an SQLite file lock, which the operating
 * system releases when the process ends.
 * @returns a function that releases the lock.
 * @throws {Error} when another process holds it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  const database = new DatabaseSync(join(folder, 'lock.sqlite'), { timeout: 0 });
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
