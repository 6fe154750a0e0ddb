import { createCache } from '../cache.ts';
import type { ProjectStore } from '../storage/projectStore.ts';

/** The secrets of projects' file ids. They never change, so a worker reads each once. */
export interface FileSecrets {
  /** Returns the secret of a project; undefined before its first upload. */
  find(projectId: string): Promise<string | undefined>;
  /** As {@link find}, but creates the secret on first use. */
  open(projectId: string): Promise<string>;
}

/** Maximum number of cached secrets. */
const cacheLimit = 1_000;

export function createFileSecrets(store: Pick<ProjectStore, 'findSecret' | 'openSecret'>): FileSecrets {
  const cache = createCache<string>(cacheLimit);
  const cached = async <T extends string | undefined>(projectId: string, read: Promise<T>): Promise<T> => {
    const secret = await read;
    if (secret !== undefined) cache.set(projectId, secret, Number.POSITIVE_INFINITY);
    return secret;
  };
  return {
    find: async (projectId) => cache.get(projectId) ?? cached(projectId, store.findSecret(projectId)),
    open: async (projectId) => cache.get(projectId) ?? cached(projectId, store.openSecret(projectId)),
  };
}
