import type { Run } from '../model/run.ts';
import type { SealedByStep, Step, StepStatus } from '../model/step.ts';
import type { TimedStep } from '../runs/listSteps.ts';
import { toGeneratedFileId } from './fileId.ts';
import { toUnixSeconds, type WireStep, type WireToolCall, type WireToolCallDelta } from './wire.ts';

const statuses: Readonly<Record<StepStatus, WireStep['status']>> = {
  in_progress: 'in_progress',
  completed: 'completed',
  incomplete: 'failed',
  failed: 'failed',
};

/** A step with what it names. */
export interface NamedStep extends TimedStep {
  readonly sealed: SealedByStep | undefined;
}

/**
 * Returns the steps of a run as the Assistants API sends them, in order. The functions that the model calls together are
 * one step. Steps for which that API has no word, such as web searches and calls of MCP servers, are left out.
 */
export function toWireSteps(run: Run, steps: readonly NamedStep[], withContent: boolean): WireStep[] {
  const wired: WireStep[] = [];
  let calls: WireStep | undefined;
  for (const timed of steps) {
    const { step } = timed;
    const toolCall = toToolCall(step, run.threadId, timed.sealed, withContent);
    if (step.type === 'function' && toolCall && calls?.step_details.type === 'tool_calls') {
      calls.step_details.tool_calls.push(toolCall);
      continue;
    }
    if (step.type !== 'message' && !toolCall) continue;
    const wire = toWireStep(run, timed, toStepDetails(step, toolCall ? [toolCall] : []));
    calls = step.type === 'function' ? wire : undefined;
    wired.push(wire);
  }
  return wired;
}

/** Returns the details of a step. @param toolCalls the calls of a step that creates no message. */
export const toStepDetails = (step: Step, toolCalls: WireToolCall[]): WireStep['step_details'] =>
  step.type === 'message'
    ? { type: 'message_creation', message_creation: { message_id: step.messageId ?? '' } }
    : { type: 'tool_calls', tool_calls: toolCalls };

/**
 * Returns the pieces in which a call becomes known: what it is, and then what it says. The packages announce the second
 * piece as a change of the first, which is where programs print the code that runs.
 * @param index of the call in its step.
 */
export function toToolCallDeltas(call: WireToolCall, index: number): WireToolCallDelta[] {
  const { type } = call;
  if (type === 'function') {
    const { name, arguments: input, output } = call.function;
    return [
      { ...call, index, function: { name, arguments: '', output } },
      { index, type, function: { arguments: input } },
    ];
  }
  if (type === 'file_search') return [{ ...call, index }];
  const { input } = call.code_interpreter;
  const outputs = call.code_interpreter.outputs.map((output, position) => ({ ...output, index: position }));
  return [
    { ...call, index, code_interpreter: { input: '', outputs: [] } },
    { index, type, code_interpreter: { input, outputs } },
  ];
}

/**
 * Returns the tool call that a step is; undefined if the Assistants API has no word for it.
 * @param sealed what it names.
 * @param withContent whether to show the texts that a search found.
 */
export function toToolCall(
  step: Step,
  threadId: string,
  { found, images }: SealedByStep = { found: [], images: [] },
  withContent = false,
): WireToolCall | undefined {
  switch (step.type) {
    case 'function':
      return {
        id: step.toolCallId ?? step.stepId,
        type: 'function',
        // What the client submitted is not read again.
        function: { name: step.name, arguments: step.arguments, output: null },
      };
    case 'file_search':
      return {
        id: step.stepId,
        type: 'file_search',
        file_search: {
          results: step.files.map(({ filename, score }, index) => ({
            file_id: found[index]?.fileId ?? '',
            file_name: filename,
            score: score ?? 0,
            ...(withContent && { content: [{ type: 'text' as const, text: found[index]?.text ?? '' }] }),
          })),
        },
      };
    case 'code_interpreter': {
      const files = images.values();
      return {
        id: step.stepId,
        type: 'code_interpreter',
        code_interpreter: {
          input: step.code,
          outputs: step.outputs.flatMap((output) => {
            if (output.type === 'logs') return output;
            const fileId = files.next().value;
            return fileId === undefined
              ? []
              : { type: 'image' as const, image: { file_id: toGeneratedFileId(threadId, fileId) } };
          }),
        },
      };
    }
    default:
      return undefined;
  }
}

/** Returns a step as the Assistants API sends it. */
export function toWireStep(
  run: Run,
  { step, startedAt, endedAt }: TimedStep,
  details: WireStep['step_details'],
): WireStep {
  const status = statuses[step.status];
  const ended = endedAt ? toUnixSeconds(endedAt) : null;
  return {
    id: step.stepId,
    object: 'thread.run.step',
    created_at: toUnixSeconds(startedAt ?? run.startedAt ?? run.createdAt),
    assistant_id: run.assistantId,
    thread_id: run.threadId,
    run_id: run.runId,
    type: details.type,
    status,
    step_details: details,
    last_error: null,
    expired_at: null,
    cancelled_at: null,
    failed_at: status === 'failed' ? ended : null,
    completed_at: status === 'completed' ? ended : null,
    metadata: {},
    usage: null,
  };
}
