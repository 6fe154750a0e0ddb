import type { Thread } from '../model/thread.ts';
import { toWireResources } from './toolResources.ts';
import { toUnixSeconds, type WireThread } from './wire.ts';

/** Returns a thread as the Assistants API sends it. */
export const toWireThread = ({ threadId, createdAt, metadata = {}, ...resources }: Thread): WireThread => ({
  id: threadId,
  object: 'thread',
  created_at: toUnixSeconds(createdAt),
  metadata,
  tool_resources: toWireResources(resources),
});
