import type { McpToolCallError } from 'openai/resources/responses/responses';
import type { MessageContent } from './composing.ts';
import { newId } from './ids.ts';
import type { OrderedItem, OrderedMcpCall, OrderedPart } from './outcomes.ts';
import type { OutputItem } from './types.ts';

/** Completes an item configured by a test with the properties that the engine adds. */
export function toOutputItem(item: OrderedItem): OutputItem {
  const { type } = item;
  switch (type) {
    case 'message': {
      const phase = item.phase && { phase: item.phase };
      const content = item.content.map(toPart);
      return { id: newId('msg'), type, status: 'completed', content, ...phase, role: 'assistant' };
    }
    case 'reasoning': {
      const { summary = [], content } = item;
      return {
        id: newId('rs'),
        type,
        summary: summary.map((text) => ({ type: 'summary_text', text })),
        ...(content && { content: content.map((text) => ({ type: 'reasoning_text', text })) }),
      };
    }
    case 'function_call': {
      const { name, arguments: text } = item;
      return { id: newId('fc'), type, status: 'completed', arguments: text, call_id: newId('call'), name };
    }
    case 'mcp_list_tools': {
      const { server_label, tools, error } = item;
      return { id: newId('mcpl'), type, server_label, tools, ...(error !== undefined && { error }) };
    }
    case 'mcp_approval_request': {
      const { server_label, name, arguments: text } = item;
      return { id: newId('mcpr'), type, arguments: text, name, server_label };
    }
    case 'mcp_call':
      return toMcpCall(item);
    case 'web_search_call':
      return { id: newId('ws'), type, status: 'completed', action: item.action };
  }
}

function toMcpCall(item: OrderedMcpCall): OutputItem {
  const { server_label, name, arguments: text, output = null, approval_request_id = null } = item;
  const error: McpToolCallError | null =
    item.error === undefined
      ? null
      : { type: 'mcp_tool_execution_error', content: [{ type: 'text', text: item.error }] };
  return {
    id: newId('mcp'),
    type: 'mcp_call',
    status: error ? 'failed' : 'completed',
    approval_request_id,
    arguments: text,
    error,
    name,
    output,
    server_label,
  };
}

function toPart(part: OrderedPart): MessageContent[number] {
  if (part.type === 'refusal') return { type: 'refusal', refusal: part.refusal };
  const { annotations = [], text } = part;
  return { type: 'output_text', annotations, logprobs: [], text };
}
