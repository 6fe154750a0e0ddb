import type { Assistant } from './assistant.ts';
import type { Metadata } from './metadata.ts';
import type { ToolResources } from './toolResources.ts';

/** An assistant that an editor of a project created. Projects cannot see each other's. */
export interface StoredAssistant extends Assistant, ToolResources {
  readonly projectId: string;
  readonly createdAt: Date;
  readonly description?: string;
  readonly metadata?: Metadata;
}

/** Maximum size of an assistant, in bytes of JSON. */
export const maxAssistantBytes = 240_000;
