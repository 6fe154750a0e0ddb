import type { Assistant, AssistantTool, ResponseFormat, SearchTool } from '../model/assistant.ts';
import type { StoredAssistant } from '../model/storedAssistant.ts';
import { toWireResources } from './toolResources.ts';
import { toUnixSeconds, type WireAssistant, type WireTool } from './wire.ts';

/**
 * Returns an assistant as the Assistants API sends it. Its instructions are for editors of the project.
 */
export const toWireAssistant = (
  assistant: Assistant & Partial<StoredAssistant>,
  isEditor: boolean,
): WireAssistant => ({
  id: assistant.id,
  object: 'assistant',
  // The configuration does not say when it was written.
  created_at: assistant.createdAt ? toUnixSeconds(assistant.createdAt) : 0,
  name: assistant.name || null,
  description: assistant.description ?? null,
  model: assistant.model,
  instructions: isEditor ? assistant.instructions || null : null,
  tools: toWireTools(assistant.tools ?? []),
  tool_resources: toWireResources(
    assistant,
    (assistant.tools ?? []).map(({ type }) => type),
  ),
  metadata: assistant.metadata ?? {},
  temperature: assistant.temperature ?? 1,
  top_p: assistant.topP ?? 1,
  response_format: toWireFormat(assistant.responseFormat),
});

/** Returns the form of replies as the Assistants API sends it. */
export function toWireFormat(
  format: ResponseFormat | undefined,
): NonNullable<WireAssistant['response_format']> {
  if (!format) return 'auto';
  if (format.type !== 'json_schema') return format;
  const { type, schema, ...rest } = format;
  return { type, json_schema: { ...rest, schema: { ...schema } } };
}

function toWireSearch({ type, maxResults, scoreThreshold }: SearchTool): WireTool {
  const file_search = {
    ...(maxResults !== undefined && { max_num_results: maxResults }),
    // The engine's only ranker.
    ...(scoreThreshold !== undefined && {
      ranking_options: { ranker: 'auto' as const, score_threshold: scoreThreshold },
    }),
  };
  return { type, ...(Object.keys(file_search).length > 0 && { file_search }) };
}

/** Returns tools as the Assistants API sends them. It has no words for those of other types. */
export const toWireTools = (tools: readonly AssistantTool[]): WireTool[] =>
  tools.flatMap((tool): WireTool[] => {
    switch (tool.type) {
      case 'code_interpreter':
        return [{ type: 'code_interpreter' }];
      case 'file_search':
        return [toWireSearch(tool)];
      case 'function': {
        const { name, description, parameters, strict } = tool;
        const definition = {
          name,
          ...(description !== undefined && { description }),
          ...(parameters && { parameters: { ...parameters } }),
          ...(strict !== undefined && { strict }),
        };
        return [{ type: 'function', function: definition }];
      }
      default:
        return [];
    }
  });
