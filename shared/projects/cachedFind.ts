import { createCache } from '../cache.ts';
import type { Project } from '../model/project.ts';
import type { ProjectStore } from '../storage/projectStore.ts';

/** How long a worker may act on a project's former record, an absent one included. */
const cacheMs = 30_000;

/** Bounds the memory that callers with invented project ids can take. */
const cacheLimit = 1_000;

/** `find` with a memory of 30 s; callers that ask at the same time share one look-up, and a failed one is forgotten. */
export function cachedFind(find: ProjectStore['find']): ProjectStore['find'] {
  const cache = createCache<Promise<Project | undefined>>(cacheLimit);
  return (projectId) => {
    const cached = cache.get(projectId);
    if (cached) return cached;
    const project = find(projectId);
    cache.set(projectId, project, Date.now() + cacheMs);
    project.catch(() => cache.delete(projectId));
    return project;
  };
}
