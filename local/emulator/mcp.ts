import type { ResponseOutputItem } from 'openai/resources/responses/responses';
import { type Composing, type Draft, toDraft, toQuotation } from './composing.ts';
import { newId } from './ids.ts';
import { sample } from './samples.ts';
import { isAskedFor } from './toolCalls.ts';
import type { Item, JsonObject, OutputItem } from './types.ts';
import { isObject } from './validation.ts';

/** A tool of an MCP server. Servers are not contacted: their tools are those that the request allows. */
interface McpTool {
  server: JsonObject;
  label: string;
  name: string;
}

const inputSchema = {
  type: 'object',
  properties: { input: { type: 'string' } },
  required: ['input'],
  additionalProperties: false,
};

/** Calls the MCP tool that the question asks for, or requests approval of the call. */
export function callMcpTool({ request, question }: Composing): Draft | null {
  const tool = findAsked(toolsOf(request.tools), question);
  if (!tool) return null;
  const call = { server_label: tool.label, name: tool.name, arguments: toArguments(question) };
  if (needsApproval(tool)) {
    return toDraft(null, { items: [{ id: newId('mcpr'), type: 'mcp_approval_request', ...call }] });
  }
  const done = toMcpCall(call);
  return toDraft(describeMcpCall(done), { items: [done] });
}

/** Lists the tools of the servers whose tools the conversation does not list yet. */
export function listMcpTools({ request, history }: Composing): OutputItem[] {
  const listed = new Set(history.map((item) => (item.type === 'mcp_list_tools' ? item.server_label : null)));
  return request.tools
    .filter((tool) => tool['type'] === 'mcp' && !listed.has(labelOf(tool)))
    .map((server) => ({
      id: newId('mcpl'),
      type: 'mcp_list_tools',
      server_label: labelOf(server),
      tools: namesOf(server).map((name) => ({
        annotations: { read_only: false },
        description: null,
        input_schema: inputSchema,
        name,
      })),
    }));
}

/** Executes an approved call; its output is deterministic. */
export function toMcpCall(
  call: Pick<ResponseOutputItem.McpCall, 'server_label' | 'name' | 'arguments'>,
  approvalRequestId: string | null = null,
): ResponseOutputItem.McpCall {
  const { name, server_label, arguments: input } = call;
  return {
    id: newId('mcp'),
    type: 'mcp_call',
    status: 'completed',
    approval_request_id: approvalRequestId,
    arguments: input,
    error: null,
    name,
    output: `${name} of ${server_label} was called with ${input}`,
    server_label,
  };
}

export function describeMcpCall({ name, server_label, output }: ResponseOutputItem.McpCall): string {
  return `**${name}** of ${server_label} returned:\n\n${toQuotation(output ?? '')}`;
}

/** Finds the request that an approval response refers to. */
export function findApprovalRequest(items: readonly Item[], id: string) {
  return items.find(
    (item): item is ResponseOutputItem.McpApprovalRequest =>
      item.type === 'mcp_approval_request' && item.id === id,
  );
}

function toArguments(question: string): string {
  return JSON.stringify(sample(inputSchema, question));
}

function toolsOf(tools: readonly JsonObject[]): McpTool[] {
  return tools
    .filter((tool) => tool['type'] === 'mcp')
    .flatMap((server) => namesOf(server).map((name) => ({ server, label: labelOf(server), name })));
}

/** Finds a tool named in the question, or else the first tool of a server that is named or described there. */
function findAsked(tools: readonly McpTool[], question: string): McpTool | undefined {
  const named = tools.find(({ name }) => isAskedFor(question, { name, description: null }));
  if (named) return named;
  return tools.find(({ server, label }) =>
    isAskedFor(question, { name: label, description: server['server_description'] }),
  );
}

const labelOf = (server: JsonObject): string => String(server['server_label']);

function namesOf({ allowed_tools: allowed }: JsonObject): string[] {
  const names = isObject(allowed) ? allowed['tool_names'] : allowed;
  return Array.isArray(names) ? names.map(String) : ['lookup'];
}

function needsApproval({ server, name }: McpTool): boolean {
  const required = server['require_approval'] ?? 'always';
  if (!isObject(required)) return required === 'always';
  const { always, never } = required;
  if (isObject(always)) return Array.isArray(always['tool_names']) && always['tool_names'].includes(name);
  return !(isObject(never) && Array.isArray(never['tool_names']) && never['tool_names'].includes(name));
}
