import { badRequest } from './errors.ts';
import type { Item } from './types.ts';

/**
 * Checks that every function call has an output and every approval request a response, each once.
 * @param items the conversation and the input, oldest first.
 * @throws {ApiError} 400, as the real API.
 */
export function checkCalls(items: readonly Item[]): void {
  const calls = new Set<string>();
  const requests = new Set<string>();
  for (const item of items) {
    if (item.type === 'function_call') calls.add(item.call_id);
    if (item.type === 'mcp_approval_request') requests.add(item.id);
    if (item.type === 'function_call_output' && !calls.delete(String(item.call_id))) {
      throw badRequest(`No tool call found for function call output with call_id ${item.call_id}.`, 'input');
    }
    if (item.type === 'mcp_approval_response' && !requests.delete(item.approval_request_id)) {
      const message = `No approval request found for approval response with approval_request_id ${item.approval_request_id}.`;
      throw badRequest(message, 'input');
    }
  }
  const [callId] = calls;
  if (callId !== undefined) throw badRequest(`No tool output found for function call ${callId}.`, 'input');
  if (requests.size === 0) return;
  const ids = [...requests].join(', ');
  throw badRequest(`The following MCP approval requests do not have an approval: ${ids}`, 'input');
}
