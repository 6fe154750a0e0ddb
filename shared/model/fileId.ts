import { openId, sealId } from './sealedId.ts';

/** Encrypts the engine's id of a file. Deterministic. @param projectSecret known to the service only. */
export const sealFileId = (projectSecret: string, engineFileId: string): string =>
  sealId(projectSecret, 'file', engineFileId);

/** Decrypts the id of a file. @returns the engine's id; undefined for an id not of this project. */
export const openFileId = (projectSecret: string, fileId: string): string | undefined =>
  openId(projectSecret, 'file', fileId);
