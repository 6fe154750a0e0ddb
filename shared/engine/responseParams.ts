import type OpenAI from 'openai';
import type { Assistant, AssistantTool, FunctionTool, McpTool, SearchTool } from '../model/assistant.ts';
import { type Attachment, isImage } from '../model/file.ts';
import type { InputMessage } from '../model/newMessage.ts';
import type { Project } from '../model/project.ts';
import type { Run, RunInput } from '../model/run.ts';
import type { CallOutput } from '../model/toolCalls.ts';
import type { NamedVectorStore } from '../model/toolResources.ts';
import { streamedDetails } from './engineSteps.ts';
import { toInputItem, toInputPart } from './inputItems.ts';

/** Everything needed to submit a round of a run. */
export interface RunRequest {
  readonly run: Run;
  readonly conversationId: string;
  readonly assistant: Assistant;
  readonly project: Project;
  /** The message that starts the run; undefined for a later round. */
  readonly input?: RunInput;
  /** The files that the message carries. */
  readonly attachments?: readonly Attachment[];
  /** The messages that the run adds before that one. */
  readonly messages?: readonly InputMessage[];
  /** The files of the thread's code interpreters. */
  readonly codeFiles?: readonly Attachment[];
  /** Outputs of the calls of the round before, or of those that an earlier run left unanswered. */
  readonly outputs?: readonly CallOutput[];
  /** The instructions of the round before; undefined for the first round. */
  readonly instructions?: string;
}

/**
 * Returns the parameters of the response that a round creates (`POST /responses`).
 * @param authorizations values of the settings that MCP tools name as their `authorizationSetting`.
 */
export function toResponseParams(
  request: RunRequest,
  authorizations: ReadonlyMap<string, string> = new Map(),
) {
  const { run, conversationId, project, input, outputs = [], attachments = [], instructions } = request;
  const { messages = [], codeFiles = [] } = request;
  const { toolChoice, parallelToolCalls, vectorStores = [], ...overrides } = run.overrides ?? {};
  const assistant = { ...request.assistant, ...overrides };
  const fileIds = [...attachments.filter(({ mediaType }) => !isImage(mediaType)), ...codeFiles].map(
    ({ engineFileId }) => engineFileId,
  );
  const storesOf = (tool: SearchTool) =>
    toSearchedStores(tool, project, vectorStores).slice(0, maxSearchedStores);
  const tools = toTools(assistant.tools ?? [], storesOf, [...new Set(fileIds)], authorizations);
  const include = streamedDetails(tools);
  // A tool that every round had to call would be called without end.
  const isChosen = toolChoice === 'none' || (toolChoice !== undefined && instructions === undefined);
  return {
    model: assistant.model,
    conversation: conversationId,
    input: [...outputs.map(toOutputItem), ...(input ? toMessageItems(input, messages, attachments) : [])],
    instructions: instructions ?? toInstructions(assistant, project, input),
    ...(tools.length > 0 && { tools }),
    ...(include.length > 0 && { include }),
    ...(isChosen && { tool_choice: toolChoice }),
    ...(parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
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

/** Returns the messages that a run adds; none for a run over the messages that the thread has. */
const toMessageItems = (
  { message }: RunInput,
  messages: readonly InputMessage[],
  attachments: readonly Attachment[],
): OpenAI.Responses.ResponseInputItem[] => [
  ...messages.map(toInputItem),
  ...(message === null ? [] : [{ role: 'user', content: toContent(message, attachments) } as const]),
];

/** The caller's instructions are appended, unless an editor of the project chose to replace the assistant's. */
const toInstructions = (assistant: Assistant, project: Project, input: RunInput | undefined): string =>
  (input?.replacesInstructions
    ? [input.instructions, project.instructions]
    : [assistant.instructions, project.instructions, input?.instructions]
  )
    .filter(Boolean)
    .join('\n\n');

/**
 * Maximum number of vector stores that one search covers. OpenAI's engine refuses more, although its reference does not say
 * so.
 */
const maxSearchedStores = 2;

/** Returns the vector stores of a search, most important first, those left out included. */
const toSearchedStores = (
  { vectorStoreIds: configured = [] }: SearchTool,
  { vectorStoreIds = [], documentStoreId }: Project,
  named: readonly NamedVectorStore[],
): string[] => [
  ...new Set([
    ...named.map(({ engineStoreId }) => engineStoreId),
    ...(documentStoreId === undefined ? [] : [documentStoreId]),
    ...vectorStoreIds,
    ...configured,
  ]),
];

/** Adds a search to tools that have none: every run searches what its project has. */
const withSearch = (tools: readonly AssistantTool[]): readonly AssistantTool[] =>
  tools.some(({ type }) => type === 'file_search') ? tools : [...tools, { type: 'file_search' }];

/**
 * Returns how many vector stores are left out of a run's search.
 * @param tools of the run.
 * @param named the vector stores that its thread and its assistant name.
 */
export const countStoresLeftOut = (
  tools: readonly AssistantTool[],
  project: Project,
  named: readonly NamedVectorStore[] = [],
): number =>
  Math.max(
    0,
    ...withSearch(tools).map((tool) =>
      tool.type === 'file_search' ? toSearchedStores(tool, project, named).length - maxSearchedStores : 0,
    ),
  );

/** Returns the parts of a message: its text, images to see and files to read. */
function toContent(
  text: string,
  attachments: readonly Attachment[],
): string | OpenAI.Responses.ResponseInputContent[] {
  if (attachments.length === 0) return text;
  return [
    toInputPart({ type: 'text', text }),
    ...attachments.map((file) => toInputPart({ type: 'file', file })),
  ];
}

const toOutputItem = (call: CallOutput) =>
  call.kind === 'function'
    ? ({ type: 'function_call_output', call_id: call.callId, output: call.output } as const)
    : ({
        type: 'mcp_approval_response',
        approval_request_id: call.callId,
        approve: call.approve,
        ...(call.reason !== undefined && { reason: call.reason }),
      } as const);

function toTools(
  tools: readonly AssistantTool[],
  storesOf: (tool: SearchTool) => readonly string[],
  fileIds: readonly string[],
  authorizations: ReadonlyMap<string, string>,
): OpenAI.Responses.Tool[] {
  return withSearch(tools).flatMap((tool): OpenAI.Responses.Tool[] => {
    if (tool.type === 'code_interpreter') {
      return [
        {
          type: tool.type,
          container: { type: 'auto', ...(fileIds.length > 0 && { file_ids: [...fileIds] }) },
        },
      ];
    }
    if (tool.type === 'web_search') return [{ type: tool.type }];
    if (tool.type === 'function') return [toFunctionTool(tool)];
    if (tool.type === 'mcp') return [toMcpTool(tool, authorizations)];
    return toSearchTool(tool, storesOf(tool));
  });
}

/** @param storeIds the vector stores to search. */
function toSearchTool(
  { type, maxResults, scoreThreshold }: SearchTool,
  storeIds: readonly string[],
): OpenAI.Responses.FileSearchTool[] {
  // The engine rejects a file search without vector stores.
  if (storeIds.length === 0) return [];
  return [
    {
      type,
      vector_store_ids: [...storeIds],
      ...(maxResults !== undefined && { max_num_results: maxResults }),
      ...(scoreThreshold !== undefined && { ranking_options: { score_threshold: scoreThreshold } }),
    },
  ];
}

const toFunctionTool = ({ type, name, description, parameters, strict }: FunctionTool) => ({
  type,
  name,
  ...(description !== undefined && { description }),
  parameters: { ...(parameters ?? { type: 'object', properties: {} }) },
  strict: strict ?? false,
});

function toMcpTool(tool: McpTool, authorizations: ReadonlyMap<string, string>): OpenAI.Responses.Tool.Mcp {
  const {
    type,
    serverLabel,
    serverUrl,
    allowedTools,
    requireApproval = 'always',
    authorizationSetting,
  } = tool;
  const authorization = authorizations.get(authorizationSetting ?? '');
  return {
    type,
    server_label: serverLabel,
    server_url: serverUrl,
    ...(allowedTools && { allowed_tools: [...allowedTools] }),
    require_approval:
      typeof requireApproval === 'string'
        ? requireApproval
        : {
            ...(requireApproval.always && { always: { tool_names: [...requireApproval.always] } }),
            ...(requireApproval.never && { never: { tool_names: [...requireApproval.never] } }),
          },
    ...(authorization !== undefined && { authorization }),
  };
}
