import { isDeepStrictEqual } from 'node:util';
import type { StoredAssistant } from '../../shared/model/storedAssistant.ts';
import { forEachConcurrently } from './concurrently.ts';
import type { ImportServices } from './importServices.ts';
import { NotBrought } from './notBrought.ts';
import type { Plan, Problem } from './plan.ts';
import type { ImportedThread } from './readThreads.ts';

/** What is to be done of a plan. */
export interface CheckedPlan {
  readonly assistants: readonly StoredAssistant[];
  readonly threads: readonly ImportedThread[];
  /** What is there already, from an earlier import. */
  readonly present: readonly string[];
  readonly problems: readonly Problem[];
}

/** Maximum number of assistants or threads that are looked up at a time. */
const concurrency = 20;

/** Compares a plan with what the project has. Changes nothing. */
export async function checkPlan(services: ImportServices, plan: Plan): Promise<CheckedPlan> {
  const { config, project, assistants: store } = services;
  const present: string[] = [];
  const problems: Problem[] = [...plan.problems];
  const assistants = new Set(plan.assistants);
  await forEachConcurrently(plan.assistants, concurrency, async (assistant) => {
    const what = `assistant ${assistant.id}`;
    const stored = (await store.find({ projectId: project.projectId, assistantId: assistant.id }))?.value;
    if (config.assistants.has(assistant.id)) {
      if (assistant.id === project.assistantId) present.push(`${what} (configured in ASSISTANTS)`);
      else problems.push({ what, why: 'its id is that of another assistant in ASSISTANTS' });
    } else if (stored) {
      if (isSame(stored, assistant)) present.push(what);
      else problems.push({ what, why: 'it exists and differs; it is left alone' });
    } else return;
    assistants.delete(assistant);
  });
  const threads = new Set(plan.threads);
  await forEachConcurrently(plan.threads, concurrency, async (thread) => {
    try {
      if (await isPresent(services, thread)) present.push(`thread ${thread.threadId}`);
      else return;
    } catch (error) {
      if (!(error instanceof NotBrought)) throw error;
      problems.push({ what: `thread ${thread.threadId}`, why: error.message });
    }
    threads.delete(thread);
  });
  return { assistants: [...assistants], threads: [...threads], present, problems };
}

/** Compares assistants as they are stored: as JSON. */
const isSame = (a: StoredAssistant, b: StoredAssistant): boolean =>
  isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));

/**
 * Returns whether a thread has been imported from the same export.
 * @throws {NotBrought} when it is there otherwise, or in another project.
 */
async function isPresent(services: ImportServices, thread: ImportedThread): Promise<boolean> {
  const { imports, project } = services;
  const { threadId, fingerprint } = thread;
  const known = await imports.find({ projectId: project.projectId, threadId });
  if (known?.closed) throw new NotBrought('it is being deleted');
  if (known?.thread) {
    if (known.fingerprint === fingerprint) return true;
    if (known.thread.activeRunId !== undefined) throw new NotBrought('it exists, and has an active run');
    if (known.fingerprint === undefined) throw new NotBrought('it exists, and was not imported');
    throw new NotBrought('it has been imported, but with other messages');
  }
  await requireOwn(services, threadId);
  return false;
}

/** Maximum number of projects that are asked for a thread at a time. */
const projectsAtOnce = 20;

/**
 * Makes sure that no other project has a thread, or is importing it: an id of a thread names one conversation, and its
 * project decides who may read it.
 * @throws {NotBrought} naming the other project.
 */
export async function requireOwn(
  { imports, otherProjectIds }: ImportServices,
  threadId: string,
): Promise<void> {
  await forEachConcurrently(otherProjectIds, projectsAtOnce, async (projectId) => {
    if (await imports.find({ projectId, threadId })) {
      throw new NotBrought(`project ${projectId} has it, or has begun to import it`);
    }
  });
}
