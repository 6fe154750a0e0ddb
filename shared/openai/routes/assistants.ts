import { mayEdit } from '../../auth/caller.ts';
import { jsonResponse } from '../../http/responses.ts';
import { newId } from '../../model/ids.ts';
import type { StoredAssistant } from '../../model/storedAssistant.ts';
import { retryConflicts } from '../../retryConflicts.ts';
import { findAttachments } from '../../runs/attachments.ts';
import { toWireAssistant } from '../assistantObject.ts';
import { applyBody, readAssistantUpdate, readNewAssistant } from '../assistantParams.ts';
import { findAssistant, findCreated, listProjectAssistants, ownAssistant } from '../assistants.ts';
import { readBody } from '../body.ts';
import { type Call, configuredModels, type Handler, ignoreDeleted } from '../call.ts';
import { parseList, rejectUnknown, toList } from '../query.ts';
import { createWithResources, openResources } from '../toolResources.ts';
import type { WireAssistantDeleted } from '../wire.ts';
import { badRequest, WireError } from '../wireError.ts';

/** Lists the assistants of the project. */
export const listAssistants: Handler = async (call) => {
  const page = parseList(call.request);
  const isEditor = mayEdit(call.caller, call.project);
  const { items, hasMore } = await listProjectAssistants(call, page);
  const assistants = items.map((assistant) => toWireAssistant(assistant, isEditor));
  return jsonResponse(200, toList(assistants, hasMore));
};

/** Returns an assistant of the project. */
export const retrieveAssistant: Handler = async (call) => {
  rejectUnknown(call.request.query, []);
  const assistant = await findAssistant(call, call.params.assistantId);
  return jsonResponse(200, toWireAssistant(assistant, mayEdit(call.caller, call.project)));
};

/** Creates an assistant of the project. For editors. */
export const createAssistant: Handler = async (call) => {
  requireEditor(call);
  rejectUnknown(call.request.query, []);
  const body = await readBody(call.request, readNewAssistant);
  const assistant = await createWithResources(call, body.tool_resources, async (resources) => {
    const { assistants } = call.context;
    const { projectId } = call.project;
    await findAttachments(call.context, projectId, resources.codeFiles ?? []);
    const createdAt = new Date();
    const id = newId('asst', createdAt);
    const blank = { projectId, id, createdAt, name: '', instructions: '', model: '' };
    const created = applyBody(blank, body, configuredModels(call), resources);
    await assistants.add(created);
    return created;
  });
  return jsonResponse(200, toWireAssistant(assistant, true));
};

/** Changes an assistant that an editor created. For editors. */
export const updateAssistant: Handler = async (call) => {
  requireEditor(call);
  rejectUnknown(call.request.query, []);
  const assistantId = requireCreated(call);
  const body = await readBody(call.request, readAssistantUpdate);
  const resources = await openResources(call, body.tool_resources);
  await findAttachments(call.context, call.project.projectId, resources.codeFiles ?? []);
  const assistant = await retryConflicts(async () => {
    const before = await findCreated(call, assistantId);
    const changed: StoredAssistant = applyBody(before.value, body, configuredModels(call), resources);
    return (await call.context.assistants.replace(before, changed)) ? changed : 'conflict';
  });
  return jsonResponse(200, toWireAssistant(assistant, true));
};

/** Deletes an assistant that an editor created. Its runs go on. For editors. */
export const deleteAssistant: Handler = async (call) => {
  requireEditor(call);
  rejectUnknown(call.request.query, []);
  const assistantId = requireCreated(call);
  const found = await findCreated(call, assistantId).catch(ignoreDeleted(call));
  if (found) await call.context.assistants.remove(found.value);
  const body: WireAssistantDeleted = { id: assistantId, object: 'assistant.deleted', deleted: true };
  return jsonResponse(200, body);
};

function requireEditor({ caller, project }: Call): void {
  if (mayEdit(caller, project)) return;
  throw new WireError('editor_required', {
    message: 'Only an editor of the project may create, change or delete its assistants.',
  });
}

/** Returns the id in the path. @throws {WireError} 400 for the configured assistant, which belongs to the operator. */
function requireCreated(call: Call): string {
  const { assistantId = '' } = call.params;
  if (assistantId === ownAssistant(call).id) {
    throw badRequest("The project's own assistant is part of the service's configuration.", 'assistant_id');
  }
  return assistantId;
}
