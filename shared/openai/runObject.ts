import type { Assistant } from '../model/assistant.ts';
import type { Run, RunErrorCode } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { RequiredAction } from '../model/toolCalls.ts';
import { toWireFormat, toWireTools } from './assistantObject.ts';
import { toUnixSeconds, type WireRun } from './wire.ts';

/** What the object of a run shows besides the run itself. */
export interface RunView {
  readonly run: Run;
  /** Undefined if it is no longer configured. */
  readonly assistant: Assistant | undefined;
  /** What the caller may see of the instructions. */
  readonly instructions: string;
  /** What a waiting run waits for. */
  readonly requiredAction?: RequiredAction | undefined;
}

/** Returns a run as the Assistants API sends it. */
export function toWireRun({ run, assistant, instructions, requiredAction }: RunView): WireRun {
  const { toolChoice = 'auto', parallelToolCalls = true, ...overrides } = run.overrides ?? {};
  const effective = { ...assistant, ...overrides };
  const status = toWireStatus(run);
  const endedAt = run.completedAt ? toUnixSeconds(run.completedAt) : null;
  return {
    id: run.runId,
    object: 'thread.run',
    created_at: toUnixSeconds(run.createdAt),
    assistant_id: run.assistantId,
    thread_id: run.threadId,
    status,
    started_at: run.startedAt ? toUnixSeconds(run.startedAt) : null,
    expires_at: isTerminal(run) ? null : toUnixSeconds(run.expiresAt),
    cancelled_at: status === 'cancelled' ? endedAt : null,
    failed_at: status === 'failed' ? endedAt : null,
    completed_at: status === 'completed' || status === 'incomplete' ? endedAt : null,
    required_action: requiredAction ? toWireAction(requiredAction) : null,
    last_error: toLastError(run, status),
    incomplete_details: status === 'incomplete' ? { reason: 'max_completion_tokens' } : null,
    model: effective.model ?? '',
    instructions,
    tools: toWireTools(effective.tools ?? []),
    metadata: run.metadata ?? {},
    temperature: effective.temperature ?? 1,
    top_p: effective.topP ?? 1,
    max_completion_tokens: overrides.maxOutputTokens ?? null,
    max_prompt_tokens: null,
    truncation_strategy: { type: 'auto', last_messages: null },
    response_format: toWireFormat(effective.responseFormat),
    tool_choice: toWireToolChoice(toolChoice),
    parallel_tool_calls: parallelToolCalls,
    usage: toWireUsage(run),
  };
}

/**
 * Returns what a run waits for. The original had no word for approvals, so that of Foundry's classic agents is used. The
 * list of functions is there in any case, because programs read it without looking at the type.
 */
function toWireAction({ toolCalls, approvals }: RequiredAction): NonNullable<WireRun['required_action']> {
  const outputs = {
    submit_tool_outputs: {
      tool_calls: toolCalls.map((call) => ({
        ...{ id: call.toolCallId, type: 'function' as const },
        function: { name: call.name, arguments: call.arguments },
      })),
    },
  };
  if (approvals.length === 0) return { type: 'submit_tool_outputs', ...outputs };
  const action = {
    type: toolCalls.length > 0 ? 'submit_tool_outputs' : 'submit_tool_approval',
    ...outputs,
    submit_tool_approval: {
      tool_calls: approvals.map(({ approvalId, server, tool, arguments: input }) => ({
        ...{ id: approvalId, type: 'mcp', server_label: server, name: tool, arguments: input },
      })),
    },
  };
  // The package's type knows the original's words only.
  return action as NonNullable<WireRun['required_action']>;
}

/** A run that was cut off at its output limit is `incomplete`; the other words are the same. */
export const toWireStatus = ({ status, errorCode }: Run): WireRun['status'] =>
  status === 'failed' && errorCode === 'max_output_tokens' ? 'incomplete' : status;

function toWireUsage(run: Run): WireRun['usage'] {
  if (!isTerminal(run)) return null;
  const { inputTokens = 0, outputTokens = 0, totalTokens = 0 } = run.usage ?? {};
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: totalTokens };
}

type Overrides = NonNullable<Run['overrides']>;

const toWireToolChoice = (choice: NonNullable<Overrides['toolChoice']>): WireRun['tool_choice'] =>
  typeof choice === 'string' || choice.type !== 'function'
    ? choice
    : { type: 'function', function: { name: choice.name } };

const lastErrorCodes: Readonly<Partial<Record<RunErrorCode, 'rate_limit_exceeded' | 'invalid_prompt'>>> = {
  rate_limited: 'rate_limit_exceeded',
  content_filter: 'invalid_prompt',
  context_length_exceeded: 'invalid_prompt',
  invalid_prompt: 'invalid_prompt',
};

function toLastError(
  { errorCode, errorMessage = '' }: Run,
  status: WireRun['status'],
): WireRun['last_error'] {
  if (status !== 'failed' && status !== 'expired') return null;
  return { code: (errorCode && lastErrorCodes[errorCode]) ?? 'server_error', message: errorMessage };
}
