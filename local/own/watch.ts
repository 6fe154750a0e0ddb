import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { assistantFiles, type OwnPaths } from './files.ts';

/** Interval of the looks at the files, in milliseconds. Looking works on every file system and with every editor. */
const intervalMs = 300;

/**
 * Calls a function whenever the developer's files have changed and stay as they are for one interval, never twice at a
 * time. The process may end meanwhile.
 * @returns a function that stops.
 */
export function watchOwnFiles(paths: OwnPaths, onChange: () => Promise<void>): () => void {
  let applied = fingerprint(paths);
  let last = applied;
  let busy = false;
  const look = async () => {
    if (busy) return;
    const now = fingerprint(paths);
    const settled = now === last;
    last = now;
    if (!settled || now === applied) return;
    applied = now;
    busy = true;
    await onChange().finally(() => {
      busy = false;
    });
  };
  const timer = setInterval(() => void look(), intervalMs).unref();
  return () => clearInterval(timer);
}

/** Returns a text that differs whenever a file was changed, added or removed. */
function fingerprint({ assistants, projects, documents }: OwnPaths): string {
  const files = [
    ...assistantFiles(assistants).map((name) => join(assistants, name)),
    projects,
    documents,
    ...entries(documents),
  ];
  return files.map((file) => `${file} ${stamp(file)}`).join('\n');
}

const entries = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  } catch {
    return [];
  }
};

function stamp(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  }
}
