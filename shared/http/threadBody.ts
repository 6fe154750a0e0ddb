import { metadataOf } from '../model/metadata.ts';
import type { NewThread, ThreadKey } from '../model/thread.ts';

/** Returns the properties of a thread that all response bodies have. */
export const toThreadBody = ({ threadId, projectId, createdAt, metadata }: NewThread) => ({
  threadId,
  projectId,
  createdAt: createdAt.toISOString(),
  ...metadataOf(metadata),
});

/** Returns the path of a thread. Ids consist of letters, digits, `_` and `-`, so no escaping is needed. */
export const threadLocation = ({ projectId, threadId }: ThreadKey) =>
  `/api/projects/${projectId}/threads/${threadId}`;
