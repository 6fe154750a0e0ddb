import { mayEdit } from '../auth/caller.ts';
import { AppError } from '../errors.ts';
import type { Assistant, AssistantOverrides } from '../model/assistant.ts';
import { isAssistantId, timeOf } from '../model/ids.ts';
import type { Stored } from '../model/stored.ts';
import type { StoredAssistant } from '../model/storedAssistant.ts';
import { checkSize } from './assistantCheck.ts';
import type { Call } from './call.ts';
import { type ListRequest, unknownCursor } from './query.ts';
import { withStores } from './runOptions.ts';
import { WireError } from './wireError.ts';

/** Returns the assistant that is configured for the project. */
export function ownAssistant({ context, project }: Call): Assistant {
  const configured = context.config.assistants.get(project.assistantId);
  if (!configured) {
    throw new AppError('internal_error', { cause: new Error('ASSISTANTS lacks the assistant of a project') });
  }
  return configured;
}

/** The place of an assistant in lists. */
type Place = Pick<StoredAssistant, 'id' | 'createdAt'>;

interface AssistantPage {
  readonly items: readonly (Assistant | StoredAssistant)[];
  readonly hasMore: boolean;
}

/**
 * Returns a page of the project's assistants: those that editors created and the configured one, which counts as the oldest.
 * @throws {WireError} 400 for a cursor that no assistant has or had.
 */
export async function listProjectAssistants(
  call: Call,
  { limit, order, after, before }: ListRequest,
): Promise<AssistantPage> {
  const cursor = after ?? before;
  const start = cursor === undefined ? undefined : await findPlace(call, cursor);
  if (cursor !== undefined && !start) throw unknownCursor(after === undefined ? 'before' : 'after');
  if (before === undefined) return readPage(call, limit, order, start);
  // A page before an assistant is read in the opposite order.
  const { items, hasMore } = await readPage(call, limit, order === 'asc' ? 'desc' : 'asc', start);
  return { items: items.toReversed(), hasMore };
}

/** @param start place after which the page starts. */
async function readPage(
  call: Call,
  limit: number,
  order: 'asc' | 'desc',
  start: Place | undefined,
): Promise<AssistantPage> {
  const own = ownAssistant(call);
  if (order === 'desc' && start?.id === own.id) return { items: [], hasMore: false };
  const first = order === 'asc' && !start ? [own] : [];
  const { rows, hasMore } = await call.context.assistants.list(call.project.projectId, {
    ...{ limit: limit - first.length, order, after: start },
  });
  if (order === 'asc') return { items: [...first, ...rows], hasMore };
  return rows.length < limit ? { items: [...rows, own], hasMore: false } : { items: rows, hasMore: true };
}

/** One that has been deleted keeps its place, which its id tells, so that a client can delete what it lists. */
async function findPlace(call: Call, assistantId: string): Promise<Place | undefined> {
  if (assistantId === ownAssistant(call).id) return { id: assistantId, createdAt: new Date(0) };
  if (!isAssistantId(assistantId)) return undefined;
  // An imported one may have an id that tells another time.
  const { projectId } = call.project;
  const found = await call.context.assistants.find({ projectId, assistantId });
  if (found) return found.value;
  const createdAt = timeOf(assistantId);
  return createdAt && { id: assistantId, createdAt };
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
