import { type Metadata, metadataOf } from '../model/metadata.ts';
import type { Run, RunErrorCode, RunInput, RunKey, RunStatus, Usage } from '../model/run.ts';
import type { RequiredAction } from '../model/toolCalls.ts';

/** A run in a response body. */
export interface RunBody {
  runId: string;
  threadId: string;
  status: RunStatus;
  createdAt: string;
  startedAt: string | null;
  completedAt: string | null;
  assistantId: string;
  projectId: string;
  instructions: string | null;
  userMessage: string | null;
  /** Absent if there is none. */
  metadata?: Metadata;
  errorMessage?: string;
  errorCode?: RunErrorCode;
  usage?: Usage;
  requiredAction?: RequiredAction;
  expiresAt?: string;
}

/** Returns the response body of a create: the run as it was created, regardless of its current state. */
export function toCreatedBody(run: Run, input: RunInput): RunBody {
  return {
    runId: run.runId,
    threadId: run.threadId,
    status: 'queued',
    createdAt: run.createdAt.toISOString(),
    startedAt: null,
    completedAt: null,
    assistantId: run.assistantId,
    projectId: run.projectId,
    instructions: input.instructions,
    userMessage: input.message,
    ...metadataOf(input.metadata),
  };
}

/** Returns a run for a response body. @param requiredAction what a waiting run waits for. */
export function toRunBody(run: Run, requiredAction?: RequiredAction): RunBody {
  return {
    runId: run.runId,
    threadId: run.threadId,
    status: run.status,
    createdAt: run.createdAt.toISOString(),
    startedAt: run.startedAt?.toISOString() ?? null,
    completedAt: run.completedAt?.toISOString() ?? null,
    assistantId: run.assistantId,
    projectId: run.projectId,
    instructions: null,
    userMessage: null,
    ...metadataOf(run.metadata),
    ...(run.errorMessage !== undefined && { errorMessage: run.errorMessage }),
    ...(run.errorCode !== undefined && { errorCode: run.errorCode }),
    ...(run.usage && { usage: run.usage }),
    ...(requiredAction && { requiredAction }),
    expiresAt: run.expiresAt.toISOString(),
  };
}

/** Returns the path of a run. Ids consist of letters, digits, `_` and `-`, so no escaping is needed. */
export const runLocation = ({ projectId, threadId, runId }: RunKey): string =>
  `/api/projects/${projectId}/threads/${threadId}/runs/${runId}`;
