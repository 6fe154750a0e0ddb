import { metadataOf } from '../model/metadata.ts';
import { maxAssistantBytes, type StoredAssistant } from '../model/storedAssistant.ts';
import type { ToolResources } from '../model/toolResources.ts';
import { checkAssistant, checkModel } from './assistantCheck.ts';
import { absent } from './messageParams.ts';
import { list, metadata, nullable, number, object, optional, text } from './readers.ts';
import { maxInstructionsLength, readEffort } from './runParams.ts';
import { readResponseFormat, readTool } from './toolParams.ts';
import { newToolResources, toolResources } from './toolResources.ts';
import { badRequest } from './wireError.ts';

const optionalShape = {
  name: nullable(text({ max: 256 })),
  description: nullable(text({ max: 512 })),
  instructions: nullable(text({ max: maxInstructionsLength })),
  tools: optional(list(readTool, { max: 64 })),
  file_ids: absent("is of version 1 of the API: use 'tool_resources', or 'attachments' of messages"),
  metadata: nullable(metadata),
  temperature: nullable(number({ min: 0, max: 2 })),
  top_p: nullable(number({ min: 0, max: 1 })),
  response_format: nullable(readResponseFormat),
  reasoning_effort: nullable(readEffort),
};

const readModel = text({ min: 1, max: 128 });

/** The body of `assistants.create`. */
export const readNewAssistant = object({
  ...optionalShape,
  tool_resources: newToolResources,
  model: readModel,
});

/** The body of `assistants.update`. Absent properties are kept; null clears one. */
export const readAssistantUpdate = object({
  ...optionalShape,
  tool_resources: toolResources,
  model: optional(readModel),
});

/**
 * Applies a body to an assistant.
 * @param models those that are configured.
 * @param resources what its `tool_resources` name.
 * @throws {WireError} 400 for a model that is not configured, or whatever a configured assistant could not have either.
 */
export function applyBody(
  before: StoredAssistant,
  body: Omit<ReturnType<typeof readAssistantUpdate>, 'tool_resources'>,
  models: ReadonlySet<string>,
  resources: ToolResources = {},
): StoredAssistant {
  const { id, projectId, createdAt } = before;
  const pick = <T>(given: T | null | undefined, kept: T | undefined): T | undefined =>
    given === undefined ? kept : (given ?? undefined);
  const description = pick(body.description, before.description);
  const temperature = pick(body.temperature, before.temperature);
  const topP = pick(body.top_p, before.topP);
  const responseFormat = pick(body.response_format, before.responseFormat);
  const { codeFiles = [], vectorStores = [] } = { ...before, ...resources };
  const reasoningEffort = pick(body.reasoning_effort, before.reasoningEffort);
  const assistant: StoredAssistant = {
    ...{ id, projectId, createdAt },
    name: pick(body.name, before.name) ?? '',
    model: body.model ?? before.model,
    instructions: pick(body.instructions, before.instructions) ?? '',
    tools: body.tools ?? before.tools ?? [],
    ...(description !== undefined && { description }),
    ...(codeFiles.length > 0 && { codeFiles }),
    ...(vectorStores.length > 0 && { vectorStores }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(responseFormat && { responseFormat }),
    ...(reasoningEffort && { reasoningEffort }),
    ...metadataOf(pick(body.metadata, before.metadata)),
  };
  checkModel(assistant.model, models);
  checkAssistant(assistant);
  if (Buffer.byteLength(JSON.stringify(assistant)) > maxAssistantBytes) {
    throw badRequest('The assistant is too large.', 'instructions', 'string_above_max_length');
  }
  return assistant;
}
