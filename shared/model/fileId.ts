import { sealId } from './sealedId.ts';

/** Encrypts the engine's id of a file. Deterministic. @param projectSecret known to the service only. */
export const sealFileId = (projectSecret: string, engineFileId: string): string =>
  sealId(projectSecret, 'file', engineFileId);
