import type OpenAI from 'openai';
import type { ContainerFile } from '../model/message.ts';
import type { EngineRound, EngineStep, NamedByStep, StepDetails, StepStatus } from '../model/step.ts';
import { toAnnotations } from './messages.ts';

type OutputItem = OpenAI.Responses.ResponseOutputItem;

/** What the engine adds to a response only on request: files found, the output of code, and pages visited. */
export const stepDetails: OpenAI.Responses.ResponseIncludable[] = [
  'file_search_call.results',
  'code_interpreter_call.outputs',
  'web_search_call.action.sources',
];

/**
 * What a run is created with of {@link stepDetails}, so that its stream has it: what code puts out, but not the texts that a
 * search finds, with which every stream would grow.
 */
export const streamedDetails = (
  tools: readonly OpenAI.Responses.Tool[],
): OpenAI.Responses.ResponseIncludable[] =>
  tools.some(({ type }) => type === 'code_interpreter') ? ['code_interpreter_call.outputs'] : [];

/** Translates a response to the steps of a round. */
export function toEngineRound(response: OpenAI.Responses.Response): EngineRound {
  return {
    startedAt: toDate(response.created_at),
    endedAt: toDate(response.completed_at),
    steps: (response.output ?? []).flatMap((item) => toEngineStep(item) ?? []),
  };
}

const toDate = (seconds: number | null | undefined): Date | undefined =>
  seconds ? new Date(seconds * 1000) : undefined;

/** Translates an item of a response. @returns undefined for what is no step, such as reasoning. */
export function toEngineStep(item: OutputItem): EngineStep | undefined {
  const details = toDetails(item);
  if (!details || !item.id) return undefined;
  const named = toNamed(item);
  return {
    itemId: item.id,
    ...(named && { named }),
    ...(item.type === 'function_call' && { callId: item.call_id }),
    status: toStatus(item),
    details,
  };
}

function toDetails(item: OutputItem): StepDetails | undefined {
  switch (item.type) {
    case 'message':
      return { type: 'message', commentary: item.phase === 'commentary' };
    case 'file_search_call':
      return {
        type: 'file_search',
        queries: item.queries ?? [],
        files: (item.results ?? []).map(({ filename = '', score = null }) => ({ filename, score })),
      };
    case 'web_search_call':
      return { type: 'web_search', ...toWebSearch(item.action) };
    case 'code_interpreter_call':
      return {
        type: 'code_interpreter',
        code: item.code ?? '',
        // The URL of an image names the engine's container.
        outputs: (item.outputs ?? []).map((output) =>
          output.type === 'logs' ? { type: 'logs', logs: output.logs } : { type: 'image' },
        ),
      };
    case 'function_call':
      return { type: 'function', name: item.name, arguments: item.arguments };
    case 'mcp_approval_request':
      return { type: 'mcp_approval', server: item.server_label, tool: item.name, arguments: item.arguments };
    case 'mcp_call': {
      const { server_label: server, name: tool, output = null } = item;
      return { type: 'mcp_call', server, tool, arguments: item.arguments, output };
    }
    case 'mcp_list_tools':
      return { type: 'mcp_list_tools', server: item.server_label, tools: item.tools.map(({ name }) => name) };
    default:
      return undefined;
  }
}

function toNamed(item: OutputItem): NamedByStep | undefined {
  switch (item.type) {
    case 'message':
      return { annotations: toAnnotations(item.content ?? []) };
    case 'file_search_call':
      return {
        found: (item.results ?? []).map(({ file_id = '', text = '' }) => ({ fileId: file_id, text })),
      };
    case 'code_interpreter_call':
      return {
        images: (item.outputs ?? []).flatMap((output) =>
          output.type === 'image' ? [toContainerFile(output.url)] : [],
        ),
      };
    default:
      return undefined;
  }
}

/** Reads the ids in the URL of an image in a container. */
function toContainerFile(url: string): ContainerFile | undefined {
  const [, containerId, fileId] = /\/containers\/([\w-]+)\/files\/([\w-]+)(?:[/?]|$)/.exec(url) ?? [];
  return containerId && fileId ? { containerId, fileId } : undefined;
}

/** @param action absent while a search has only begun. */
function toWebSearch(action: OpenAI.Responses.ResponseFunctionWebSearch['action'] | undefined) {
  if (action?.type !== 'search') {
    const url = action && 'url' in action ? action.url : undefined;
    return { queries: [], urls: url ? [url] : [] };
  }
  const queries = action.queries ?? (action.query ? [action.query] : []);
  return { queries, urls: (action.sources ?? []).flatMap((source) => ('url' in source ? [source.url] : [])) };
}

const endStatuses: ReadonlySet<unknown> = new Set(['completed', 'incomplete', 'failed']);

/** Items without a status are there only once they are complete. */
function toStatus(item: OutputItem): StepStatus {
  if ('error' in item && item.error) return 'failed';
  const status = 'status' in item ? item.status : undefined;
  if (status === undefined) return 'completed';
  return endStatuses.has(status) ? (status as StepStatus) : 'in_progress';
}
