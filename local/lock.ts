import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Keeps a second start from writing over the data and the issuer of the first. The lock is SQLite's on a file, which
 * the system releases with the process, however that ends.
 * @returns what gives the folder free again.
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
