import { AppError } from '../errors.ts';
import { type Run, roundOf } from '../model/run.ts';
import type { ToolOutputs } from '../model/toolCalls.ts';
import { listStepsOfRound } from '../runs/listSteps.ts';
import type { RunServices } from '../runs/runServices.ts';
import { toWireSteps } from './stepObject.ts';
import { toUnixSeconds, type WireStep } from './wire.ts';

/** Timeout of reading the step, for which its stream waits, in milliseconds. */
const timeoutMs = 3_000;

/**
 * Returns the step of the functions that a client has just answered, with what it answered: the stream of what follows
 * begins with its end, because the stream before ended with the question. It is read from the engine.
 * @returns undefined if no function was answered, or the engine does not tell: the run goes on in any case.
 */
export async function findAnsweredStep(
  services: RunServices,
  run: Run,
  outputs: ToolOutputs['toolOutputs'],
): Promise<WireStep | undefined> {
  if (outputs.length === 0) return undefined;
  const round = roundOf(run) - 1;
  const steps = await listStepsOfRound(services, run, { round, timeoutMs }).catch((error) => {
    if (error instanceof AppError) return [];
    throw error;
  });
  const outputOf = new Map(outputs.map(({ toolCallId, output }) => [toolCallId, output]));
  const named = steps.map((timed) => ({ ...timed, sealed: undefined }));
  for (const step of toWireSteps(run, named, false).toReversed()) {
    const { step_details: details } = step;
    const calls = details.type === 'tool_calls' ? details.tool_calls : [];
    const answered = calls.flatMap((call) =>
      call.type === 'function'
        ? { ...call, function: { ...call.function, output: outputOf.get(call.id) ?? null } }
        : [],
    );
    if (answered.length === 0) continue;
    return {
      ...step,
      ...{ status: 'completed', failed_at: null, completed_at: toUnixSeconds(new Date()) },
      step_details: { type: 'tool_calls', tool_calls: answered },
    };
  }
  return undefined;
}
