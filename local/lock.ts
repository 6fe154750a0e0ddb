import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Keeps a second start from writing over the data and the issuer of the first.
 * @returns what gives the folder free again.
 * @throws {Error} when a process that still runs holds it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, 'lock');
  await mkdir(folder, { recursive: true });
  const holder = Number(await readFile(file, 'utf8').catch(() => Number.NaN));
  if (isRunning(holder)) {
    throw new Error(
      `the service runs here already (process ${holder}); end it first, or give this one a folder of its own with LOCAL_DATA_DIR`,
    );
  }
  await writeFile(file, String(process.pid));
  return () => rm(file, { force: true });
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid === process.pid) return false;
  try {
    // Signal 0 asks without sending.
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
