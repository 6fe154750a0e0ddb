/** How a run stands; the last four are ends. */
export type RunStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'expired' | 'cancelled';

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
}

/** A run as the service keeps it: nothing of what people wrote. */
export interface Run {
  readonly runId: string;
  readonly threadId: string;
  readonly projectId: string;
  readonly assistantId: string;
  readonly status: RunStatus;
  readonly createdAt: Date;
  /** The first moment the service knows the run was being worked on. */
  readonly startedAt?: Date;
  /** Set for every end. */
  readonly completedAt?: Date;
  readonly expiresAt: Date;
  /** Why it failed, expired or was cancelled; a sentence of ours, never the engine's. */
  readonly errorMessage?: string;
  readonly usage?: Usage;
  /** The engine's id; absent until the engine has taken the run. Never leaves the service. */
  readonly responseId?: string;
}

/** A run as the contract shows it. */
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
  errorMessage?: string;
  usage?: Usage;
  expiresAt?: string;
}

/** What a client posted, which only the answer to that very request repeats. */
export interface RunInput {
  readonly message: string;
  readonly instructions: string | null;
}

/** The answer to a create: the run as it was created, whatever has become of it since. */
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
  };
}

/** The answer to a get. */
export function toRunBody(run: Run): RunBody {
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
    ...(run.errorMessage !== undefined && { errorMessage: run.errorMessage }),
    ...(run.usage && { usage: run.usage }),
    expiresAt: run.expiresAt.toISOString(),
  };
}

/** Below `/api`; ids are letters, digits, `_` and `-`, so nothing needs escaping. */
export const runLocation = (run: Pick<Run, 'projectId' | 'threadId' | 'runId'>) =>
  `/api/projects/${run.projectId}/threads/${run.threadId}/runs/${run.runId}`;
