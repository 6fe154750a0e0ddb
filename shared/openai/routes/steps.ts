import { AppError } from '../../errors.ts';
import { jsonResponse } from '../../http/responses.ts';
import { sealNamed } from '../../model/step.ts';
import { findRun } from '../../runs/findRun.ts';
import { listSteps as readSteps } from '../../runs/listSteps.ts';
import { type Call, type Handler, runKeyOf } from '../call.ts';
import { pageOf, parseList, rejectUnknown, toList } from '../query.ts';
import { toWireSteps } from '../stepObject.ts';
import type { WireStep } from '../wire.ts';
import { WireError } from '../wireError.ts';

/** Lists what a run did. */
export const listSteps: Handler = async (call) => {
  const runKey = runKeyOf(call);
  const page = parseList(call.request, ['include']);
  const steps = await stepsOf(call, runKey);
  const { items, hasMore } = pageOf(steps.toReversed(), page, ({ id }) => id);
  return jsonResponse(200, toList(items, hasMore));
};

/** Returns a step of a run. */
export const retrieveStep: Handler = async (call) => {
  const runKey = runKeyOf(call);
  rejectUnknown(call.request.query, ['include']);
  const { stepId = '' } = call.params;
  const step = (await stepsOf(call, runKey)).find(({ id }) => id === stepId);
  if (step) return jsonResponse(200, step);
  throw new WireError('run_not_found', { message: `No run step found with id '${stepId.slice(0, 64)}'.` });
};

/** What `include` asks for. */
const foundContent = 'step_details.tool_calls[*].file_search.results[*].content';

async function stepsOf({ context, request }: Call, runKey: ReturnType<typeof runKeyOf>): Promise<WireStep[]> {
  const { query } = request;
  const isAsked = ([name, value]: [string, string]) =>
    /^include(?:\[\d*\])?$/.test(name) && value === foundContent;
  const { value: run } = await findRun(context, runKey);
  const [thread, steps] = await Promise.all([context.threads.find(runKey), readSteps(context, runKey)]);
  if (!thread) throw new AppError('thread_not_found');
  const namesFiles = steps.some(({ named }) => named?.found?.length);
  const secret = namesFiles ? await context.fileSecrets.open(runKey.projectId) : undefined;
  const { conversationId } = thread.value;
  const named = steps.map((step) => ({
    ...step,
    sealed: step.named && sealNamed(step.named, conversationId, secret),
  }));
  return toWireSteps(run, named, [...query].some(isAsked));
}
