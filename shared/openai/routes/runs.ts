import type { HttpResponseInit } from '@azure/functions';
import { mayEdit } from '../../auth/caller.ts';
import { AppError, hasCode } from '../../errors.ts';
import { maxSubmissionBytes } from '../../http/body.ts';
import { jsonResponse } from '../../http/responses.ts';
import type { Repeatable } from '../../model/idempotencyKey.ts';
import { isRunId } from '../../model/ids.ts';
import { type Run, roundOf } from '../../model/run.ts';
import type { Stored } from '../../model/stored.ts';
import type { Thread, ThreadKey } from '../../model/thread.ts';
import { threadStoreExpiryDays } from '../../model/toolResources.ts';
import { findAttachments } from '../../runs/attachments.ts';
import { cancel } from '../../runs/cancelRun.ts';
import { findRun } from '../../runs/findRun.ts';
import { refreshRun } from '../../runs/refreshRun.ts';
import { describeRun } from '../../runs/requiredAction.ts';
import { setRunMetadata } from '../../runs/setRunMetadata.ts';
import { startRun, toRunFacts } from '../../runs/startRun.ts';
import { submitOutputs } from '../../runs/submitOutputs.ts';
import { toCreateError } from '../../threads/createThread.ts';
import { listRuns as readRuns } from '../../threads/listRuns.ts';
import { addFilesOfRun, createSearchableThread, undoIfRefused } from '../../threads/searchedFiles.ts';
import { findAnsweredStep } from '../answeredStep.ts';
import { findAssistant, instructionsOf, toRunOverrides } from '../assistants.ts';
import { readBody } from '../body.ts';
import {
  type Call,
  configuredModels,
  type Handler,
  isRepetition,
  pollHeaders,
  runKeyOf,
  threadKeyOf,
  toRepeatable,
} from '../call.ts';
import { readOutputsBody } from '../outputsParams.ts';
import { type ListRequest, pageOf, parseList, rejectUnknown, toList, unknownCursor } from '../query.ts';
import { invalidType, metadata, object, optional } from '../readers.ts';
import { type RunView, toWireRun, toWireStatus } from '../runObject.ts';
import { toRunOptions } from '../runOptions.ts';
import { type RunParams, readRunBody, readThreadAndRunBody } from '../runParams.ts';
import { streamRun } from '../runStream.ts';
import { toThreadInput } from '../threadParams.ts';
import { createWithResources, openResources } from '../toolResources.ts';
import { badRequest, notOffered } from '../wireError.ts';

/** Starts a run on a thread. */
export const createRun: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  rejectUnknown(call.request.query, ['include']);
  const params = await readBody(call.request, readRunBody);
  return start(call, params, params, async () => ({ threadKey }));
};

/** Creates a thread with its first messages, and starts a run on it. */
export const createThreadAndRun: Handler = async (call) => {
  rejectUnknown(call.request.query, ['include']);
  const body = await readBody(call.request, readThreadAndRunBody);
  const { thread: input, tool_resources, ...rest } = body;
  const resources = await openResources(call, tool_resources);
  await findAttachments(call.context, call.project.projectId, resources.codeFiles ?? []);
  return start(call, { ...rest, resources }, body, async (repeatable) => {
    const { thread: created } = await createWithResources(
      call,
      input?.tool_resources,
      (ofThread) =>
        createSearchableThread(call.context, {
          ...{ project: call.project, ...toThreadInput(input ?? {}, ofThread) },
          ...{ input: undefined, idempotencyKey: undefined },
          repeatable,
        }),
      { param: 'thread.tool_resources', repeatable, expiryDays: threadStoreExpiryDays },
    );
    return { threadKey: created, created };
  });
};

interface Target {
  readonly threadKey: ThreadKey;
  /** The thread, if this request created it. */
  readonly created?: Thread;
}

/**
 * Starts a run. Checks its parameters before it opens the thread.
 * @param body by which a repeated request is recognized.
 */
async function start(
  call: Call,
  params: RunParams,
  body: object,
  openThread: (repeatable: Repeatable) => Promise<Target>,
): Promise<HttpResponseInit> {
  const { context, caller, project } = call;
  const assistant = await findAssistant(call, params.assistant_id);
  const isEditor = mayEdit(caller, project);
  const {
    overrides: chosen,
    stream,
    ...input
  } = toRunOptions(params, assistant, {
    isEditor,
    models: configuredModels(call),
  });
  const overrides = toRunOverrides(call, assistant, chosen);
  const repeatable = toRepeatable(call, call.params.threadId ?? null, body);
  const { threadKey, created } = await openThread(repeatable);
  const searched = await addFilesOfRun(context, threadKey, input.messages);
  const { run } = await startRun(context, {
    project,
    threadKey,
    assistant,
    overrides,
    input: { message: null, ...input },
    idempotencyKey: undefined,
    repeatable,
  })
    .catch(undoIfRefused(searched))
    .catch((error) => {
      throw created ? toCreateError(error) : error;
    });
  context.note(toRunFacts(context, project, run));
  const own = input.instructions ?? '';
  const all = input.replacesInstructions ? own : [assistant.instructions, own].filter(Boolean).join('\n\n');
  const view = { assistant, instructions: isEditor ? all : own };
  if (stream) return streamRun(call, { run, created, ...view, fromRound: 0 });
  return jsonResponse(200, toWireRun({ run, ...view }), pollHeaders);
}

/** Lists the runs of a thread. */
export const listRuns: Handler = async (call) => {
  const threadKey = threadKeyOf(call);
  const page = parseList(call.request);
  const { items, hasMore } = await readPage(call, threadKey, page);
  const ids = new Set(items.map(({ assistantId }) => assistantId));
  const instructions = new Map([...ids].map((id) => [id, instructionsOf(call, id)]));
  const views = await Promise.all(items.map((run) => viewOf(call, run, instructions.get(run.assistantId))));
  return jsonResponse(200, toList(views.map(toWireRun), hasMore));
};

/** The store lists runs newest first. The other direction is served for threads with up to this many runs. */
const maxRunsReversed = 500;

async function readPage({ context }: Call, threadKey: ThreadKey, page: ListRequest) {
  const { limit, order, after, before } = page;
  if (order === 'desc' && before === undefined) {
    if (after !== undefined && !isRunId(after)) throw unknownCursor('after');
    return readRuns(context, threadKey, { limit, after, status: undefined });
  }
  const all = { limit: maxRunsReversed, after: undefined, status: undefined };
  const { items, hasMore } = await readRuns(context, threadKey, all);
  if (hasMore) {
    const param = before === undefined ? 'order' : 'before';
    throw notOffered(param, `is available for threads with up to ${maxRunsReversed} runs`);
  }
  return pageOf(items, page, ({ runId }) => runId);
}

/** Returns a run. */
export const retrieveRun: Handler = async (call) => {
  const runKey = runKeyOf(call);
  rejectUnknown(call.request.query, []);
  const refreshed = await refreshRun(call.context, await findRun(call.context, runKey));
  return respond(call, refreshed);
};

const readUpdate = object({ metadata: optional(metadata) });

/** Replaces the metadata of a run, if given. */
export const updateRun: Handler = async (call) => {
  const runKey = runKeyOf(call);
  rejectUnknown(call.request.query, []);
  const { metadata: labels } = await readBody(call.request, readUpdate);
  if (labels) await setRunMetadata(call.context, runKey, labels);
  return respond(call, await findRun(call.context, runKey));
};

const readNothing = optional(object({}));

/** Cancels a run. */
export const cancelRun: Handler = async (call) => {
  const runKey = runKeyOf(call);
  rejectUnknown(call.request.query, []);
  await readBody(call.request, readNothing);
  const stored = await findRun(call.context, runKey);
  const run = await cancel(call.context, stored).catch(async (error) => {
    if (!hasCode(error, 'run_finished')) throw error;
    const ended = await findRun(call.context, runKey);
    // By the first attempt.
    if (isRepetition(call) && ended.value.status === 'cancelled') return ended.value;
    throw badRequest(`Cannot cancel run with status '${toWireStatus(ended.value)}'.`);
  });
  return jsonResponse(200, toWireRun(await viewOf(call, run)));
};

/** Submits the outputs that a run waits for; the run goes on. */
export const submitToolOutputs: Handler = async (call) => {
  const runKey = runKeyOf(call);
  rejectUnknown(call.request.query, []);
  const body = await readBody(call.request, readOutputsBody, maxSubmissionBytes);
  const { tool_outputs, tool_approvals = [], stream } = body;
  if (!tool_outputs && !body.tool_approvals) throw invalidType('tool_outputs', 'an array', undefined);
  const toolOutputs = (tool_outputs ?? []).map(({ tool_call_id, output = '' }) => ({
    toolCallId: tool_call_id,
    output,
  }));
  const { context, project } = call;
  const approvals = tool_approvals.map(({ tool_call_id, approve }) => ({
    approvalId: tool_call_id,
    approve,
  }));
  const outputs = { toolOutputs, approvals };
  const { stored, replayed } = await submitOutputs(context, { project, runKey, outputs }).catch(
    async (error) => {
      if (!hasCode(error, 'run_not_waiting')) throw toApprovalError(error);
      const { value: run } = await findRun(context, runKey);
      throw badRequest(`Runs in status "${toWireStatus(run)}" do not accept tool outputs.`);
    },
  );
  if (!stream) return respond(call, stored);
  const [view, answered] = await Promise.all([
    viewOf(call, stored.value),
    replayed ? undefined : findAnsweredStep(context, stored.value, toolOutputs),
  ]);
  return streamRun(call, { ...view, answered, fromRound: roundOf(stored.value) });
};

/** Names the fields of approvals as this face spells them. */
function toApprovalError(error: unknown): unknown {
  const [field = '', [message = ''] = []] =
    Object.entries((error instanceof AppError && error.options.fieldErrors) || {})[0] ?? [];
  if (!field.startsWith('Approvals')) return error;
  const param = field.replace('Approvals', 'tool_approvals').replace('ApprovalId', 'tool_call_id');
  const words = message.replaceAll(field, param).replaceAll('approvalId', 'id');
  return badRequest(words, param, 'invalid_value');
}

/** Returns a run with what it waits for. */
async function respond(call: Call, run: Stored<Run>): Promise<HttpResponseInit> {
  const [{ stored, requiredAction }, view] = await Promise.all([
    describeRun(call.context, run),
    viewOf(call, run.value),
  ]);
  return jsonResponse(200, toWireRun({ ...view, run: stored.value, requiredAction }), pollHeaders);
}

/** Returns what a later request shows of a run. Its own instructions are not stored, so those of its assistant are shown. */
async function viewOf(
  call: Call,
  run: Run,
  instructions = instructionsOf(call, run.assistantId),
): Promise<RunView> {
  const assistant = call.context.config.assistants.get(run.assistantId);
  return { run, assistant, instructions: await instructions };
}
