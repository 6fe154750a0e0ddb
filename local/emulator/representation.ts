import type { Response, ResponseStatus } from 'openai/resources/responses/responses';
import { toUnixSeconds } from './ids.ts';
import { toVisible } from './items.ts';
import { statusOf } from './lifecycle.ts';
import type { Conversation, JsonObject, ResponseRecord, ResponseResult } from './types.ts';

/** A response in wire format; `output_text` is added by the client library. */
export type WireResponse = Omit<Response, 'output_text' | 'usage'> & {
  store: boolean;
  usage: ResponseResult['usage'] | null;
};

/** Converts a response to wire format, with the given or its current status. */
export function toWireResponse(
  record: ResponseRecord,
  status: ResponseStatus = statusOf(record),
  include: readonly string[] = [],
): WireResponse {
  const { request } = record;
  const hasOutput = status === 'completed' || status === 'incomplete' || status === 'failed';
  const result = hasOutput ? record.result : null;
  const included = [...request.include, ...include];
  return {
    id: record.id,
    object: 'response',
    created_at: toUnixSeconds(record.createdAtMs),
    status,
    background: request.background,
    access_programs: null,
    completed_at: status === 'completed' ? toUnixSeconds(record.end?.atMs ?? record.endsAtMs ?? 0) : null,
    conversation: request.conversationId === null ? null : { id: request.conversationId },
    error: status === 'failed' ? errorOf(record) : null,
    incomplete_details:
      status === 'incomplete' && result?.incompleteReason ? { reason: result.incompleteReason } : null,
    instructions: request.instructions,
    max_output_tokens: request.maxOutputTokens,
    model: request.model,
    output: (result?.output ?? []).map((item) => toVisible(item, included)),
    previous_response_id: request.previousResponseId,
    store: request.store,
    tools: request.tools.map(withoutToken) as unknown as Response['tools'],
    usage: status === 'failed' ? null : (result?.usage ?? null),
    metadata: request.metadata as Response['metadata'],
    ...echoOf(record, status),
  };
}

/** Real engines never return the token of an MCP server. */
function withoutToken({ authorization: _token, ...tool }: JsonObject): JsonObject {
  return tool;
}

type Echo = Pick<Response, 'parallel_tool_calls' | 'temperature' | 'tool_choice' | 'top_p'>;

function echoOf(record: ResponseRecord, status: ResponseStatus): Echo {
  const { echo } = record.request;
  const isServed = status === 'completed' || status === 'incomplete';
  const tier = isServed && echo['service_tier'] === 'auto' ? 'default' : echo['service_tier'];
  return { ...echo, service_tier: tier } as unknown as Echo;
}

function errorOf(record: ResponseRecord): Response['error'] {
  const { outcome } = record;
  if (outcome?.status !== 'failed') return null;
  return { code: outcome.code, message: outcome.message } as Response['error'];
}

export function toWireConversation({ id, createdAt, metadata }: Conversation) {
  return { id, object: 'conversation' as const, created_at: createdAt, metadata };
}
