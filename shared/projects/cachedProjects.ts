import { createCache } from '../cache.ts';
import type { Project } from '../model/project.ts';
import type { ProjectStore } from '../storage/projectStore.ts';

/** How long a project record, or its absence, is cached, in milliseconds. */
const cacheMs = 30_000;

/** Maximum number of cached projects. Limits the memory that requests with made-up ids can use. */
const cacheLimit = 1_000;

/** Finds projects in the store, with a cache. */
export interface CachedProjects {
  readonly find: ProjectStore['find'];
  /** Makes the next find read the store. */
  readonly forget: (projectId: string) => void;
}

/** Caches the results of `find` for 30 s. Concurrent calls share one lookup; failures are not cached. */
export function cacheProjects(find: ProjectStore['find']): CachedProjects {
  const cache = createCache<Promise<Project | undefined>>(cacheLimit);
  return {
    find(projectId) {
      const cached = cache.get(projectId);
      if (cached) return cached;
      const project = find(projectId);
      cache.set(projectId, project, Date.now() + cacheMs);
      project.catch(() => cache.delete(projectId));
      return project;
    },
    forget: cache.delete,
  };
}
