import type OpenAI from 'openai';
import type { Assistant, AssistantTool } from '../model/assistant.ts';
import type { Project } from '../model/project.ts';
import type { Run, RunInput } from '../model/run.ts';

/** Everything needed to submit a run. */
export interface RunRequest {
  readonly run: Run;
  readonly conversationId: string;
  readonly assistant: Assistant;
  readonly project: Project;
  readonly input: RunInput;
}

/** Returns the parameters of the response that a run creates (`POST /responses`). */
export function toResponseParams({ run, conversationId, assistant, project, input }: RunRequest) {
  const tools = toTools(assistant.tools ?? [], project.vectorStoreIds ?? []);
  return {
    model: assistant.model,
    conversation: conversationId,
    input: [{ role: 'user', content: input.message }],
    // The caller's instructions are appended to those of the assistant and the project and never replace them.
    instructions: [assistant.instructions, project.instructions, input.instructions]
      .filter(Boolean)
      .join('\n\n'),
    ...(tools.length > 0 && { tools }),
    ...(assistant.temperature !== undefined && { temperature: assistant.temperature }),
    ...(assistant.topP !== undefined && { top_p: assistant.topP }),
    ...(assistant.maxOutputTokens !== undefined && { max_output_tokens: assistant.maxOutputTokens }),
    ...(assistant.responseFormat && { text: { format: assistant.responseFormat } }),
    ...(assistant.reasoningEffort && { reasoning: { effort: assistant.reasoningEffort } }),
    // The Assistants API's default: drop the oldest items once a thread exceeds the context window.
    truncation: 'auto',
    background: true,
    // Only a run created as a stream can be followed later.
    stream: true,
    store: true,
    metadata: { projectId: run.projectId, threadId: run.threadId, runId: run.runId },
  } satisfies OpenAI.Responses.ResponseCreateParamsStreaming;
}

function toTools(tools: readonly AssistantTool[], projectStores: readonly string[]): OpenAI.Responses.Tool[] {
  const searches = tools.some(({ type }) => type === 'file_search');
  const all: readonly AssistantTool[] = searches ? tools : [...tools, { type: 'file_search' }];
  return all.flatMap((tool): OpenAI.Responses.Tool[] => {
    if (tool.type === 'code_interpreter') return [{ type: tool.type, container: { type: 'auto' } }];
    if (tool.type === 'web_search') return [{ type: tool.type }];
    const stores = [...new Set([...(tool.vectorStoreIds ?? []), ...projectStores])];
    // The engine rejects a file search without vector stores.
    if (stores.length === 0) return [];
    const limit = tool.maxResults === undefined ? {} : { max_num_results: tool.maxResults };
    return [{ type: tool.type, vector_store_ids: stores, ...limit }];
  });
}
