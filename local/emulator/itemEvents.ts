import type {
  ResponseCodeInterpreterToolCall,
  ResponseFunctionToolCallItem,
  ResponseOutputItem,
  ResponseOutputMessage,
  ResponseOutputRefusal,
  ResponseOutputText,
  ResponseReasoningItem,
} from 'openai/resources/responses/responses';
import { endOf } from './composing.ts';
import type { JsonObject, OutputItem } from './types.ts';

/** Adds an event at a fraction (0 to 1) of the duration of the run, or of one item. */
export type Add = (share: number, type: string, body: JsonObject) => void;

/** Adds the events of an item. */
export function addItem(add: Add, output_index: number, item: OutputItem): void {
  const place = { output_index, item_id: item.id };
  add(0, 'response.output_item.added', { output_index, item: toBegun(item) });
  addContent(add, place, item);
  add(1, 'response.output_item.done', { output_index, item });
}

function addContent(add: Add, place: JsonObject, item: OutputItem): void {
  switch (item.type) {
    case 'message':
      addMessage(add, place, item);
      break;
    case 'reasoning':
      addReasoning(add, place, item);
      break;
    case 'file_search_call':
    case 'web_search_call':
      addSearchCall(add, place, item.type);
      break;
    case 'function_call':
      addArguments(add, place, 'function_call', item);
      break;
    case 'mcp_list_tools':
      addMcpList(add, place, item);
      break;
    case 'mcp_call':
      addMcpCall(add, place, item);
      break;
    case 'code_interpreter_call':
      addInterpreterCall(add, place, item);
      break;
    case 'mcp_approval_request':
      break;
  }
}

/** Returns an item as announced, before its content. Approval requests are announced complete. */
function toBegun(item: OutputItem): OutputItem {
  const status = 'in_progress';
  switch (item.type) {
    case 'message':
      return { ...item, status, content: [] };
    case 'reasoning':
      return { id: item.id, type: item.type, summary: [] };
    case 'file_search_call':
      return { ...item, status, queries: [], results: null };
    case 'web_search_call':
      return { ...item, status, action: { type: 'search' } };
    case 'function_call':
      return { ...item, status, arguments: '' };
    case 'mcp_list_tools':
      return { id: item.id, type: item.type, server_label: item.server_label, tools: [] };
    case 'mcp_call':
      return { ...item, status, arguments: '', error: null, output: null };
    case 'code_interpreter_call':
      return { ...item, status, code: '', outputs: item.outputs && [] };
    case 'mcp_approval_request':
      return item;
  }
}

function addSearchCall(add: Add, place: JsonObject, type: string): void {
  add(0, `response.${type}.in_progress`, place);
  add(0, `response.${type}.searching`, place);
  add(1, `response.${type}.completed`, place);
}

function addArguments(
  add: Add,
  place: JsonObject,
  type: 'function_call' | 'mcp_call',
  { arguments: text }: ResponseFunctionToolCallItem | ResponseOutputItem.McpCall,
): void {
  // A real engine sends the arguments of an MCP call in one piece.
  const pieces = type === 'mcp_call' ? [text] : (text.match(/[^\w\s]+|\s*\w+|\s+/g) ?? []);
  for (const [index, delta] of pieces.entries())
    add((index + 1) / pieces.length, `response.${type}_arguments.delta`, { ...place, delta });
  add(1, `response.${type}_arguments.done`, { ...place, arguments: text });
}

function addMcpList(add: Add, place: JsonObject, { error }: ResponseOutputItem.McpListTools): void {
  add(0, 'response.mcp_list_tools.in_progress', place);
  add(1, `response.mcp_list_tools.${error ? 'failed' : 'completed'}`, place);
}

function addMcpCall(add: Add, place: JsonObject, item: ResponseOutputItem.McpCall): void {
  add(0, 'response.mcp_call.in_progress', place);
  addArguments(add, place, 'mcp_call', item);
  add(1, `response.mcp_call.${item.error ? 'failed' : 'completed'}`, place);
}

function addInterpreterCall(add: Add, place: JsonObject, item: ResponseCodeInterpreterToolCall): void {
  const code = item.code ?? '';
  add(0, 'response.code_interpreter_call.in_progress', place);
  // Some time is left for the execution.
  const addCode: Add = (share, type, body) => add(share / 2, type, body);
  addWords(addCode, 'response.code_interpreter_call_code.delta', place, code);
  addCode(1, 'response.code_interpreter_call_code.done', { ...place, code });
  addCode(1, 'response.code_interpreter_call.interpreting', place);
  add(1, 'response.code_interpreter_call.completed', place);
}

function addReasoning(add: Add, place: JsonObject, { summary, content = [] }: ResponseReasoningItem): void {
  const count = summary.length + content.length;
  const partOf = (index: number): Add => {
    return (share, type, body) => add((index + share) / count, type, body);
  };
  for (const [summary_index, part] of summary.entries()) {
    const addPart = partOf(summary_index);
    const at = { ...place, summary_index };
    addPart(0, 'response.reasoning_summary_part.added', { ...at, part: { ...part, text: '' } });
    addWords(addPart, 'response.reasoning_summary_text.delta', at, part.text);
    addPart(1, 'response.reasoning_summary_text.done', { ...at, text: part.text });
    addPart(1, 'response.reasoning_summary_part.done', { ...at, part });
  }
  for (const [content_index, part] of content.entries()) {
    const addPart = partOf(summary.length + content_index);
    const at = { ...place, content_index };
    addPart(0, 'response.content_part.added', { ...at, part: { ...part, text: '' } });
    addWords(addPart, 'response.reasoning_text.delta', at, part.text);
    addPart(1, 'response.reasoning_text.done', { ...at, text: part.text });
    addPart(1, 'response.content_part.done', { ...at, part });
  }
}

function addMessage(add: Add, place: JsonObject, { content }: ResponseOutputMessage): void {
  for (const [content_index, part] of content.entries()) {
    const addPart: Add = (share, type, body) => add((content_index + share) / content.length, type, body);
    const at = { ...place, content_index };
    if (part.type === 'refusal') addRefusal(addPart, at, part);
    else addText(addPart, at, part);
  }
}

function addRefusal(add: Add, at: JsonObject, part: ResponseOutputRefusal): void {
  add(0, 'response.content_part.added', { ...at, part: { ...part, refusal: '' } });
  addWords(add, 'response.refusal.delta', at, part.refusal);
  add(1, 'response.refusal.done', { ...at, refusal: part.refusal });
  add(1, 'response.content_part.done', { ...at, part });
}

/** Adds the events of a text part. Each annotation follows the text that it refers to. */
function addText(add: Add, at: JsonObject, part: ResponseOutputText): void {
  add(0, 'response.content_part.added', { ...at, part: { ...part, text: '', annotations: [] } });
  let annotated = 0;
  const addAnnotations = (share: number, length: number) => {
    for (; annotated < part.annotations.length; annotated += 1) {
      const annotation = part.annotations[annotated];
      if (!annotation || endOf(annotation) > length) return;
      const body = { ...at, annotation_index: annotated, annotation };
      add(share, 'response.output_text.annotation.added', body);
    }
  };
  addWords(add, 'response.output_text.delta', { ...at, logprobs: [] }, part.text, addAnnotations);
  add(1, 'response.output_text.done', { ...at, text: part.text, logprobs: [] });
  add(1, 'response.content_part.done', { ...at, part });
}

function addWords(
  add: Add,
  type: string,
  at: JsonObject,
  text: string,
  afterDelta: (share: number, length: number) => void = () => undefined,
): void {
  const words = text.match(/\s*\S+|\s+$/g) ?? [];
  let length = 0;
  for (const [index, delta] of words.entries()) {
    const share = (index + 1) / words.length;
    add(share, type, { ...at, delta });
    length += delta.length;
    afterDelta(share, length);
  }
}
