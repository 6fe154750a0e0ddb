import type { TestResponse } from './service.ts';

/** Returns the path below `/api` of a created resource. */
export const pathOf = ({ headers }: TestResponse): string =>
  (headers.get('Location') ?? '').replace('/api/', '');

/** Returns the id at the end of a path. */
export const idOf = (path: string): string => path.split('/').at(-1) ?? '';
