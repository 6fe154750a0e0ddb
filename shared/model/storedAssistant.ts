import type { Assistant } from './assistant.ts';
import type { Metadata } from './metadata.ts';

/** An assistant that an editor of a project created. Projects cannot see each other's. */
export interface StoredAssistant extends Assistant {
  readonly projectId: string;
  readonly createdAt: Date;
  readonly description?: string;
  /** Ids of the files that its code interpreter gets. */
  readonly codeFiles?: readonly string[];
  readonly metadata?: Metadata;
}

/** Maximum size of an assistant, in bytes of JSON. */
export const maxAssistantBytes = 240_000;
