import type { McpToolCallError } from 'openai/resources/responses/responses';
import type { Composing, MessageContent } from './composing.ts';
import { addContainerFile, containerFor, findContainer } from './containers.ts';
import { newId } from './ids.ts';
import type { OrderedInterpreterCall, OrderedItem, OrderedMcpCall, OrderedPart } from './outcomes.ts';
import type { OutputItem } from './types.ts';

/** Completes items configured by a test with the properties that the engine adds. */
export function toOutputItems(composing: Composing, ordered: readonly OrderedItem[]): OutputItem[] {
  const made: Citable[] = [];
  return ordered.map((item) =>
    item.type === 'code_interpreter_call'
      ? toInterpreterCall(composing, item, made)
      : toOutputItem(item, made),
  );
}

/** A file made by the code interpreter, which later messages can cite. */
interface Citable {
  container_id: string;
  file_id: string;
  filename: string;
}

function toOutputItem(
  item: Exclude<OrderedItem, OrderedInterpreterCall>,
  made: readonly Citable[],
): OutputItem {
  const { type } = item;
  switch (type) {
    case 'message': {
      const phase = item.phase && { phase: item.phase };
      const content = item.content.map((part) => toPart(part, made));
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
    case 'file_search_call': {
      const { queries, results = null } = item;
      return { id: newId('fs'), type, status: 'completed', queries, results };
    }
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

function toInterpreterCall(
  { engine, request, history }: Composing,
  { type, code, logs, files = [], images = [] }: OrderedInterpreterCall,
  made: Citable[],
): OutputItem {
  const last = made.at(-1);
  const container = last ? findContainer(engine, last.container_id) : containerFor(engine, request, history);
  for (const { filename, content } of files) {
    const { id } = addContainerFile(engine, container, filename, Buffer.from(content, 'base64'));
    made.push({ container_id: container.id, file_id: id, filename });
  }
  const outputs = [
    ...(logs === undefined ? [] : [{ type: 'logs' as const, logs }]),
    ...made
      .filter(({ filename }) => images.includes(filename))
      .map(({ container_id, file_id }) => ({
        type: 'image' as const,
        url: `https://api.openai.com/v1/containers/${container_id}/files/${file_id}/content`,
      })),
  ];
  return { id: newId('ci'), type, status: 'completed', code, container_id: container.id, outputs };
}

function toPart(part: OrderedPart, made: readonly Citable[]): MessageContent[number] {
  if (part.type === 'refusal') return { type: 'refusal', refusal: part.refusal };
  const { annotations = [], text } = part;
  const cited = annotations.map((annotation) => {
    if (annotation.type !== 'container_file_citation' || annotation.file_id !== '') return annotation;
    return { ...annotation, ...made.findLast(({ filename }) => filename === annotation.filename) };
  });
  return { type: 'output_text', annotations: cited, logprobs: [], text };
}
