import type { ResponseFunctionToolCallOutputItem } from 'openai/resources/responses/responses';
import { type Composing, type Draft, toDraft, toQuotation } from './composing.ts';
import { describeMcpCall, findApprovalRequest, toMcpCall } from './mcp.ts';
import type { Item, OutputItem } from './types.ts';

/** Quotes the outputs in the input, and executes the calls that it approves. Null if the input ends with a message. */
export function replyToOutputs({ request, history }: Composing): Draft | null {
  const { input } = request;
  if (input.length === 0 || input.at(-1)?.type === 'message') return null;
  const known = [...history, ...input];
  const items: OutputItem[] = [];
  const paragraphs = input.flatMap((item) => {
    if (item.type === 'function_call_output') return [describeOutput(item, known)];
    if (item.type !== 'mcp_approval_response') return [];
    const call = findApprovalRequest(known, item.approval_request_id);
    if (!call) return [];
    if (!item.approve)
      return [`The call of **${call.name}** was denied: ${item.reason ?? 'no reason given'}.`];
    const done = toMcpCall(call, call.id);
    items.push(done);
    return [describeMcpCall(done)];
  });
  return paragraphs.length === 0 ? null : toDraft(paragraphs.join('\n\n'), { items });
}

function describeOutput(item: ResponseFunctionToolCallOutputItem, known: readonly Item[]): string {
  const call = known.find((other) => other.type === 'function_call' && other.call_id === item.call_id);
  const name = call?.type === 'function_call' ? call.name : 'The function';
  return `**${name}** returned:\n\n${toQuotation(outputText(item.output))}`;
}

function outputText(output: ResponseFunctionToolCallOutputItem['output']): string {
  if (typeof output === 'string') return output;
  return output.map((part) => (part.type === 'input_text' ? part.text : `(${part.type})`)).join('\n');
}
