import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of files, by the id of the file. */
export interface Contents {
  write(id: string, content: Buffer): void;
  /** Returns the bytes of a file; none if it is unknown. */
  read(id: string): Buffer;
  remove(id: string): void;
  clear(): void;
}

/** Keeps contents in memory. */
export function memoryContents(): Contents {
  const contents = new Map<string, Buffer>();
  return {
    write: (id, content) => contents.set(id, content),
    read: (id) => contents.get(id) ?? Buffer.alloc(0),
    remove: (id) => contents.delete(id),
    clear: () => contents.clear(),
  };
}

/** Keeps contents in a folder, one file each. */
export function folderContents(folder: string): Contents {
  mkdirSync(folder, { recursive: true });
  const pathOf = (id: string) => join(folder, `${id}.bin`);
  return {
    write: (id, content) => writeFileSync(pathOf(id), content),
    read: (id) => readFileSync(pathOf(id)),
    remove: (id) => rmSync(pathOf(id), { force: true }),
    clear: () => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { force: true });
    },
  };
}
