import { isDeepStrictEqual } from 'node:util';
import type { Assistant, AssistantOverrides, AssistantTool } from '../model/assistant.ts';
import type { Metadata } from '../model/metadata.ts';
import type { LabelledMessage } from '../threads/messageRecords.ts';
import { checkAssistant, checkModel } from './assistantCheck.ts';
import { toWireTools } from './assistantObject.ts';
import type { RunParams } from './runParams.ts';
import { editorsOnly, notOffered } from './wireError.ts';

/** What a run's request asks of the core. */
export interface RunOptions {
  readonly instructions: string | null;
  readonly replacesInstructions: boolean;
  readonly messages: readonly LabelledMessage[];
  readonly metadata: Metadata;
  readonly overrides: AssistantOverrides;
  readonly stream: boolean;
}

/**
 * Translates the parameters of a run. Callers who are no editors can add instructions, but neither replace the
 * assistant's nor choose its model, tools, sampling or effort.
 * @param models those that are configured.
 * @throws {WireError} 403 for a parameter that takes an editor, 400 for a model that is not configured.
 */
export function toRunOptions(
  params: RunParams,
  assistant: Assistant,
  { isEditor, models }: { isEditor: boolean; models: ReadonlySet<string> },
): RunOptions {
  const chosen = choicesOf(params, assistant);
  const [first] = Object.keys(chosen) as (keyof typeof paramNames)[];
  if (first !== undefined && !isEditor) throw editorsOnly(paramNames[first]);
  if (chosen.model !== undefined) checkModel(chosen.model, models);
  const labelled = params.additional_messages?.findIndex((message) => message.metadata) ?? -1;
  if (labelled !== -1) {
    throw notOffered(
      `additional_messages[${labelled}].metadata`,
      'is not supported: create the message first',
    );
  }
  const overrides = { ...chosen, ...limitsOf(params, assistant) };
  // Everything else has been checked already.
  if (overrides.tools || overrides.responseFormat) checkAssistant({ ...assistant, ...overrides });
  return {
    instructions: [params.instructions, params.additional_instructions].filter(Boolean).join('\n\n') || null,
    replacesInstructions: isEditor && Boolean(params.instructions),
    messages: params.additional_messages ?? [],
    metadata: params.metadata ?? {},
    stream: params.stream ?? false,
    overrides,
  };
}

/** Names of the parameters that take an editor. */
const paramNames = {
  model: 'model',
  tools: 'tools',
  temperature: 'temperature',
  topP: 'top_p',
  reasoningEffort: 'reasoning_effort',
} as const;

/** Returns what a run chooses differently from its assistant, of what takes an editor. */
function choicesOf(params: RunParams, assistant: Assistant) {
  const { model, tools, temperature, top_p: topP, reasoning_effort: reasoningEffort } = params;
  const sameTools = isDeepStrictEqual(toWireTools(tools ?? []), toWireTools(assistant.tools ?? []));
  return {
    ...(model !== undefined && model !== assistant.model && { model }),
    ...(tools !== undefined && !sameTools && { tools }),
    ...(temperature !== undefined && temperature !== (assistant.temperature ?? 1) && { temperature }),
    ...(topP !== undefined && topP !== (assistant.topP ?? 1) && { topP }),
    ...(reasoningEffort && reasoningEffort !== assistant.reasoningEffort && { reasoningEffort }),
  };
}

/** Returns what every caller may choose for a run. */
function limitsOf(params: RunParams, assistant: Assistant): AssistantOverrides {
  const maxOutputTokens = atMost(params.max_completion_tokens, assistant.maxOutputTokens);
  return {
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(params.response_format && { responseFormat: params.response_format }),
    ...(params.tool_choice !== undefined && { toolChoice: params.tool_choice }),
    ...params.resources,
    ...(params.parallel_tool_calls !== undefined && { parallelToolCalls: params.parallel_tool_calls }),
  };
}

/** A run may lower the limit of its assistant's output, but not raise it. */
const atMost = (asked: number | undefined, own: number | undefined): number | undefined =>
  asked === undefined ? undefined : Math.min(asked, own ?? asked);

/** A search that a caller chooses is one of the documents that the project's own assistant searches. */
export const withStores = (tools: readonly AssistantTool[], own: Assistant): readonly AssistantTool[] => {
  const search = own.tools?.find(({ type }) => type === 'file_search');
  const stores = search?.type === 'file_search' ? search.vectorStoreIds : undefined;
  return tools.map((tool) =>
    tool.type === 'file_search' && stores ? { ...tool, vectorStoreIds: stores } : tool,
  );
};
