import type { Answer } from './service.ts';

/** Returns the path below `/api` of what was created. */
export const pathOf = ({ headers }: Answer): string => (headers.get('Location') ?? '').replace('/api/', '');

/** Returns the last part of a path: the id of what it names. */
export const idOf = (path: string): string => path.split('/').at(-1) ?? '';
