import { openId, sealId } from './sealedId.ts';

/** Encrypts the engine's id of a vector store. Deterministic. @param projectSecret known to the service only. */
export const sealVectorStoreId = (projectSecret: string, engineStoreId: string): string =>
  sealId(projectSecret, 'vs', engineStoreId);

/** Decrypts the id of a vector store. @returns the engine's id; undefined for an id not of this project. */
export const openVectorStoreId = (projectSecret: string, vectorStoreId: string): string | undefined =>
  openId(projectSecret, 'vs', vectorStoreId);

/** Encrypts the engine's id of a batch of files. Deterministic. @param projectSecret known to the service only. */
export const sealBatchId = (projectSecret: string, engineBatchId: string): string =>
  sealId(projectSecret, 'vsfb', engineBatchId);

/** Decrypts the id of a batch of files. @returns the engine's id; undefined for an id not of this project. */
export const openBatchId = (projectSecret: string, batchId: string): string | undefined =>
  openId(projectSecret, 'vsfb', batchId);
