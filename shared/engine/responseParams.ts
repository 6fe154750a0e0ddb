import type OpenAI from 'openai';
import type { Assistant, AssistantTool } from '../model/assistant.ts';
import type { Project } from '../model/project.ts';
import type { Run, RunInput } from '../model/run.ts';

export interface RunRequest {
  readonly run: Run;
  readonly conversationId: string;
  readonly assistant: Assistant;
  readonly project: Project;
  readonly input: RunInput;
}

/** What the engine is asked for a run. */
export function toResponseParams({ run, conversationId, assistant, project, input }: RunRequest) {
  const tools = toTools(assistant.tools ?? [], project.vectorStoreIds ?? []);
  return {
    model: assistant.model,
    conversation: conversationId,
    input: [{ role: 'user', content: input.message }],
    // A caller's instructions come last and only ever add: those of assistant and project stay in front of them.
    instructions: [assistant.instructions, project.instructions, input.instructions]
      .filter(Boolean)
      .join('\n\n'),
    ...(tools.length > 0 && { tools }),
    ...(assistant.temperature !== undefined && { temperature: assistant.temperature }),
    ...(assistant.topP !== undefined && { top_p: assistant.topP }),
    ...(assistant.maxOutputTokens !== undefined && { max_output_tokens: assistant.maxOutputTokens }),
    ...(assistant.reasoningEffort && { reasoning: { effort: assistant.reasoningEffort } }),
    // As the Assistants API did by default: a thread that outgrows the model loses its beginning, not its use.
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
    // The engine refuses a search of nothing.
    if (stores.length === 0) return [];
    const limit = tool.maxResults === undefined ? {} : { max_num_results: tool.maxResults };
    return [{ type: tool.type, vector_store_ids: stores, ...limit }];
  });
}
