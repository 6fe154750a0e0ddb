import type OpenAI from 'openai';
import { AppError } from '../errors.ts';
import type { EngineRunState, OutputStep } from '../model/runState.ts';
import type { PendingCall, ToolCall } from '../model/toolCalls.ts';
import { toRunErrorCode } from './engineErrors.ts';
import { toEngineStep } from './engineSteps.ts';
import { partsOf } from './messages.ts';

const knownStatuses = ['queued', 'in_progress', 'cancelled', 'completed', 'failed', 'incomplete'];

export const isKnownStatus = (status: string | undefined) =>
  status !== undefined && knownStatuses.includes(status);

/** Translates the state of a response. @throws {AppError} `unavailable` for one without a known status. */
export function toEngineRunState(response: OpenAI.Responses.Response): EngineRunState {
  switch (response.status) {
    case 'queued':
    case 'in_progress':
    case 'cancelled':
      return { status: response.status };
    case 'completed':
      return toCompletedState(response);
    case 'failed':
      return { ...toFailure(response.error?.code), ...toUsage(response), output: toOutput(response) };
    case 'incomplete':
      return {
        ...toFailure(response.incomplete_details?.reason),
        calls: toCalls(response.output),
        ...toUsage(response),
        output: toOutput(response),
      };
    default:
      throw new AppError('unavailable', { cause: new Error('the engine gave no known status') });
  }
}

function toCompletedState(response: OpenAI.Responses.Response): EngineRunState {
  const calls = toCalls(response.output);
  const output = toOutput(response);
  const usage = toUsage(response);
  if (calls.length === 0) return { status: 'completed', ...toEnd(response), ...usage, output };
  const instructions = typeof response.instructions === 'string' ? response.instructions : '';
  return { status: 'requires_action', calls, instructions, ...usage, output };
}

const toFailure = (code: string | null | undefined) =>
  ({ status: 'failed', errorCode: toRunErrorCode(code), reason: toReason(code) }) as const;

/** Returns the calls that the client must answer. */
const toCalls = (output: readonly OpenAI.Responses.ResponseOutputItem[] | undefined): ToolCall[] =>
  (output ?? []).flatMap((item) => toCall(item) ?? []);

function toCall(
  item: OpenAI.Responses.ResponseOutputItem | OpenAI.Conversations.ConversationItem,
): ToolCall | undefined {
  if (item.type === 'function_call') {
    return { kind: 'function', callId: item.call_id, name: item.name, arguments: item.arguments };
  }
  if (item.type === 'mcp_approval_request') {
    const { id: callId, server_label: server, name: tool } = item;
    return { kind: 'approval', callId, server, tool, arguments: item.arguments };
  }
  return undefined;
}

/** Returns the calls without an output. @param items newest first. */
export function toOpenCalls(items: readonly OpenAI.Conversations.ConversationItem[]): PendingCall[] {
  const answered = new Set<unknown>();
  const open: PendingCall[] = [];
  for (const item of items) {
    if (item.type === 'function_call_output') answered.add(item.call_id);
    if (item.type === 'mcp_approval_response' || item.type === 'mcp_call')
      answered.add(item.approval_request_id);
    const call = toCall(item);
    if (call && !answered.has(call.callId)) open.unshift({ kind: call.kind, callId: call.callId });
  }
  return open;
}

const toOutput = ({ output }: OpenAI.Responses.Response): OutputStep[] =>
  (output ?? []).flatMap((item) => {
    const step = toEngineStep(item);
    return step ? { step, parts: item.type === 'message' ? partsOf(item.content) : [] } : [];
  });

/** The engine reports whole seconds; use the end of that second so as not to predate the actual end. */
const toEnd = ({ completed_at }: OpenAI.Responses.Response) =>
  completed_at ? { completedAt: new Date(Math.floor(completed_at) * 1000 + 999) } : {};

/** Also of a response that was cut off or failed, if the engine tells it. */
const toUsage = ({ usage }: OpenAI.Responses.Response) =>
  usage
    ? {
        usage: {
          inputTokens: usage.input_tokens,
          outputTokens: usage.output_tokens,
          totalTokens: usage.total_tokens,
        },
      }
    : {};

/** Accepts codes only: a sentence may quote a message. */
const toReason = (code: string | null | undefined): string =>
  code && /^[a-z0-9_]{1,64}$/i.test(code) ? code : 'unknown_error';
