import type { Assistant } from '../assistants/assistants.ts';
import { AppError } from '../http/errors.ts';
import { newId } from '../ids.ts';
import type { Project } from '../projects/project.ts';
import type { Stored } from '../storage/rows.ts';
import type { Thread } from '../threads/thread.ts';
import { scheduleFollowUp, toFollowUp } from './followUps.ts';
import { type IdempotencyKey, toIdempotencyKey } from './idempotency.ts';
import { type Run, type RunInput, runLocation } from './run.ts';
import { type RunServices, settle } from './settle.ts';
import { isFinished, lose, observe, refuse } from './state.ts';

export interface StartRequest {
  readonly project: Project;
  readonly threadId: string;
  readonly input: RunInput;
  readonly idempotencyKey: string | undefined;
}

/** Longest wait for the engine to take a run. */
const startMs = 20_000;

/** Kept back from it, to record what came of it. */
const recordMs = 5_000;

/** With less time than this for the engine, a run is better not started than lost. */
const leastStartMs = 3_000;

/** A claim is tried again only when another request got in between; each one that did made progress. */
const maxClaims = 3;

/**
 * Starts a run, or finds the one that the same key started before.
 * The thread is claimed in the store first and the engine asked once after that, so neither two requests at a time nor
 * a repeated one nor a crash can start two.
 * @throws {AppError} thread_not_found, thread_busy, idempotency_mismatch, rate_limited, unavailable, internal_error.
 */
export async function startRun(
  services: RunServices,
  { project, threadId, input, idempotencyKey }: StartRequest,
): Promise<{ run: Run; replayed: boolean }> {
  const assistant = findAssistant(services, project);
  const key = idempotencyKey === undefined ? undefined : toIdempotencyKey(idempotencyKey, input);
  for (let claims = 0; claims < maxClaims; ) {
    if (services.deadline.within(startMs, recordMs) < leastStartMs) throw new AppError('unavailable');
    const thread = await services.threads.find(project.projectId, threadId);
    if (!thread) throw new AppError('thread_not_found');
    if (thread.value.activeRunId !== undefined) {
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
      await settleActiveRun(services, thread.value, thread.value.activeRunId);
      continue;
    }
    claims++;
    const claim = await services.runs.claim(thread, newRun(services, project, threadId), key);
    if (claim === 'taken') continue;
    if (claim === 'repeated') {
      const earlier = await findRepeated(services, thread.value, key);
      if (earlier) return { run: earlier, replayed: true };
      continue;
    }
    await handOver(services, { claim, thread: thread.value, assistant, project, input, key });
    return { run: claim.value, replayed: false };
  }
  throw new AppError('thread_busy');
}

function findAssistant(services: RunServices, project: Project): Assistant {
  const assistant = services.config.assistants.get(project.assistantId);
  if (!assistant) {
    throw new AppError('internal_error', { cause: new Error('ASSISTANTS lacks the assistant of a project') });
  }
  return assistant;
}

function newRun({ config }: RunServices, { projectId, assistantId }: Project, threadId: string): Run {
  const createdAt = new Date();
  return {
    runId: newId('run', createdAt),
    threadId,
    projectId,
    assistantId,
    status: 'queued',
    createdAt,
    expiresAt: new Date(createdAt.getTime() + config.runTimeoutSeconds * 1000),
  };
}

/** @throws {AppError} idempotency_mismatch when the key came with another request before. */
async function findRepeated({ runs }: RunServices, thread: Thread, key: IdempotencyKey | undefined) {
  const known = key && (await runs.findKey(thread, key));
  if (!known) return undefined;
  if (known.fingerprint !== key.fingerprint) throw new AppError('idempotency_mismatch');
  return (await runs.find(thread.projectId, thread.threadId, known.runId))?.value;
}

/** @throws {AppError} thread_busy while the run is unfinished. */
async function settleActiveRun(services: RunServices, { projectId, threadId }: Thread, runId: string) {
  const active = await services.runs.find(projectId, threadId, runId);
  // One transaction writes both, so this is a fault of ours, and looking again would not mend it.
  if (!active)
    throw new AppError('internal_error', { cause: new Error('a thread names a run that is not there') });
  const run = (await settle(services, active)).value;
  if (!isFinished(run)) {
    throw new AppError('thread_busy', { activeRun: { runId, location: runLocation(run) } });
  }
}

interface HandOver {
  readonly claim: Stored<Run>;
  readonly thread: Thread;
  readonly assistant: Assistant;
  readonly project: Project;
  readonly input: RunInput;
  readonly key: IdempotencyKey | undefined;
}

/** Gives a claimed run to the engine and records what came of it. */
async function handOver(services: RunServices, { claim, thread, key, ...request }: HandOver): Promise<void> {
  const { runs, engine, deadline } = services;
  const run = claim.value;
  // Beside the engine's call, so that it costs a create no time.
  const [started] = await Promise.all([
    engine.start(
      { ...request, run, conversationId: thread.conversationId },
      deadline.within(startMs, recordMs),
    ),
    scheduleFollowUp(services, toFollowUp(run), run.expiresAt),
  ]);
  if (started.outcome === 'taken') {
    const { responseId, seen } = started;
    await recordTaken(services, claim, observe({ ...run, responseId }, seen, new Date()), responseId);
    return;
  }
  const certain = started.outcome === 'refused';
  const ended = certain ? refuse(run, new Date()) : lose(run, new Date());
  // Should the store fail now, the run ends by its deadline; the engine's error is what the client has to know.
  await runs.save(claim, ended, certain ? key : undefined).catch(() => undefined);
  throw started.error;
}

/** A run in the engine that our records cannot lead to would answer into the thread behind everybody's back. */
async function recordTaken(services: RunServices, claim: Stored<Run>, taken: Run, responseId: string) {
  const { runs, engine, deadline } = services;
  const stop = () => engine.cancel(responseId, deadline.within(recordMs)).catch(() => undefined);
  try {
    if (await runs.save(claim, taken)) return;
    const current = await runs.find(taken.projectId, taken.threadId, taken.runId);
    if (current?.value.responseId !== responseId) await stop();
  } catch (error) {
    await stop();
    throw error;
  }
}
