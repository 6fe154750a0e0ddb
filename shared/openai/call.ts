import type { HttpResponseInit } from '@azure/functions';
import type { Access } from '../auth/access.ts';
import { AppError } from '../errors.ts';
import type { RequestContext, UploadRequest } from '../http/endpoint.ts';
import type { Repeatable } from '../model/idempotencyKey.ts';
import { isRunId, isThreadId, isVectorStoreId } from '../model/ids.ts';
import type { RunKey } from '../model/run.ts';
import type { ThreadKey } from '../model/thread.ts';
import type { VectorStoreKey } from '../model/vectorStore.ts';
import type { PathParams } from './router.ts';

/** An authorized request of the Assistants API. */
export interface Call extends Access {
  readonly request: UploadRequest;
  readonly context: RequestContext;
  readonly params: PathParams;
}

export type Handler = (call: Call) => Promise<HttpResponseInit>;

/** Returns the thread in the path. @throws {AppError} thread_not_found for a malformed id. */
export function threadKeyOf({ context, project, params: { threadId } }: Call): ThreadKey {
  if (!isThreadId(threadId)) throw new AppError('thread_not_found');
  context.note({ threadId });
  return { projectId: project.projectId, threadId };
}

/** Returns the run in the path. @throws {AppError} thread_not_found or run_not_found for a malformed id. */
export function runKeyOf(call: Call): RunKey {
  const threadKey = threadKeyOf(call);
  const { runId } = call.params;
  if (!isRunId(runId)) throw new AppError('run_not_found');
  call.context.note({ runId });
  return { ...threadKey, runId };
}

/** Returns the vector store in the path. @throws {AppError} vector_store_not_found for a malformed id. */
export function vectorStoreKeyOf({ project, params: { vectorStoreId } }: Call): VectorStoreKey {
  if (!isVectorStoreId(vectorStoreId)) throw new AppError('vector_store_not_found');
  return { projectId: project.projectId, vectorStoreId };
}

/** The models that runs and assistants may choose. */
export const configuredModels = ({ context }: Call): ReadonlySet<string> =>
  new Set([...context.config.assistants.values()].map(({ model }) => model));

/**
 * Returns whether the client's library sends a request again on its own, because it did not learn the outcome. The
 * official packages send no idempotency key, but count.
 */
export const isRepetition = ({ request }: Call): boolean =>
  Number(request.headers.get('X-Stainless-Retry-Count') ?? 0) > 0;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Returns what a repetition of a create is recognized by: Azure's packages send an id of the call with each of its
 * attempts, the others count them.
 * @param request what the create asks for.
 */
export function toRepeatable(call: Call, ...request: unknown[]): Repeatable {
  const callId = call.request.headers.get('x-ms-client-request-id') ?? '';
  const isIdentified = uuid.test(callId);
  return {
    content: JSON.stringify([call.caller.ids[0], ...request, ...(isIdentified ? [{ callId }] : [])]),
    isRepetition: isIdentified || isRepetition(call),
    isIdentified,
  };
}

/** Ignores that a repeated deletion finds nothing: its first attempt may have deleted it. @returns for `catch`. */
export const ignoreDeleted =
  (call: Call) =>
  (error: unknown): undefined => {
    if (!(isRepetition(call) && error instanceof AppError && error.code.endsWith('_not_found'))) throw error;
  };

/** How long a client should wait before it polls again, in milliseconds. The packages wait five seconds by default. */
export const pollHeaders = { 'openai-poll-after-ms': '1000' };
