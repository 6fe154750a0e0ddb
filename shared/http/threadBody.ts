import type { NewThread, ThreadKey } from '../model/thread.ts';

/** The part of a thread that the contract shows in every answer. */
export const toThreadBody = ({ threadId, projectId, createdAt }: NewThread) => ({
  threadId,
  projectId,
  createdAt: createdAt.toISOString(),
});

/** Below `/api`; ids are letters, digits, `_` and `-`, so nothing needs escaping. */
export const threadLocation = ({ projectId, threadId }: ThreadKey) =>
  `/api/projects/${projectId}/threads/${threadId}`;
