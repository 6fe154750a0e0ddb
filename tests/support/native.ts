import { fileURLToPath } from 'node:url';

/** From `environment.js`. */
declare const requireNatively: NodeJS.Require;

/**
 * Loads a module of this folder outside of the test file's own realm, where its variables and processes outlive the file.
 * @param file its name.
 */
export const loadNatively = <Module>(file: string): Module =>
  requireNatively(fileURLToPath(new URL(file, import.meta.url)));
