import { mayEdit } from '../auth/caller.ts';
import { AppError } from '../errors.ts';
import type { Assistant, AssistantOverrides } from '../model/assistant.ts';
import { isAssistantId } from '../model/ids.ts';
import type { Stored } from '../model/stored.ts';
import type { StoredAssistant } from '../model/storedAssistant.ts';
import { checkSize } from './assistantCheck.ts';
import type { Call } from './call.ts';
import { withStores } from './runOptions.ts';
import { WireError } from './wireError.ts';

/** Maximum number of assistants that editors may create in a project. */
export const maxAssistants = 500;

/** Returns the assistant that is configured for the project. */
export function ownAssistant({ context, project }: Call): Assistant {
  const configured = context.config.assistants.get(project.assistantId);
  if (!configured) {
    throw new AppError('internal_error', { cause: new Error('ASSISTANTS lacks the assistant of a project') });
  }
  return configured;
}

/** Returns the assistants of the project: those that editors created, newest first, then the configured one. */
export async function listProjectAssistants(call: Call): Promise<(Assistant | StoredAssistant)[]> {
  const created = await call.context.assistants.list(call.project.projectId, maxAssistants);
  // The order of ids is that of creation, except for imported ones.
  const newestFirst = created.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  return [...newestFirst, ownAssistant(call)];
}

/**
 * Returns an assistant of the project; without an id, the configured one. The assistants of other projects are as unknown
 * as those that do not exist.
 * @throws {WireError} 404.
 */
export async function findAssistant(
  call: Call,
  assistantId: string | undefined,
): Promise<Assistant | StoredAssistant> {
  const own = ownAssistant(call);
  if (assistantId === undefined || assistantId === own.id) return own;
  return (await findCreated(call, assistantId)).value;
}

/** Returns an assistant that an editor created. @throws {WireError} 404. */
export async function findCreated(
  { context, project: { projectId } }: Call,
  assistantId: string,
): Promise<Stored<StoredAssistant>> {
  const found = isAssistantId(assistantId)
    ? await context.assistants.find({ projectId, assistantId })
    : undefined;
  if (!found) throw assistantNotFound(assistantId);
  return found;
}

/**
 * Returns the instructions of a run's assistant as the caller may see them: empty for callers who are no editors, and of an
 * assistant that has been deleted.
 */
export async function instructionsOf(
  { context, caller, project }: Call,
  assistantId: string,
): Promise<string> {
  if (!mayEdit(caller, project)) return '';
  const configured = context.config.assistants.get(assistantId);
  if (configured) return configured.instructions;
  const created = await context.assistants.find({ projectId: project.projectId, assistantId });
  return created?.value.instructions ?? '';
}

const assistantNotFound = (assistantId: string): WireError =>
  new WireError('assistant_not_found', {
    message: `No assistant found with id '${assistantId.slice(0, 64)}'.`,
    param: 'assistant_id',
  });

/**
 * Returns what a run must know of its assistant besides the configured ones. A created assistant may be changed or deleted
 * while its runs go on, so they keep its definition.
 */
export function toRunOverrides(
  call: Call,
  assistant: Assistant & Partial<StoredAssistant>,
  overrides: AssistantOverrides,
): AssistantOverrides {
  const own = ownAssistant(call);
  const { model, tools = [], temperature, topP, responseFormat, reasoningEffort } = assistant;
  const { codeFiles, vectorStores } = assistant;
  const definition: AssistantOverrides =
    assistant.id === own.id
      ? {}
      : {
          model,
          tools,
          ...(temperature !== undefined && { temperature }),
          ...(topP !== undefined && { topP }),
          ...(responseFormat && { responseFormat }),
          ...(reasoningEffort && { reasoningEffort }),
          ...(codeFiles && { codeFiles }),
          ...(vectorStores && { vectorStores }),
        };
  const all = { ...definition, ...overrides };
  const complete = all.tools ? { ...all, tools: withStores(all.tools, own) } : all;
  checkSize(complete);
  return complete;
}
