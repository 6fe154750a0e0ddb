import { loadNatively } from './native.ts';

/** Runs a command of the project as a process would, but with modules that are loaded already. */
export const { runScript } = loadNatively<typeof import('./scripts.ts')>('scripts.ts');
