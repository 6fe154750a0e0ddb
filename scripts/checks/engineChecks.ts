import { scheduler } from 'node:timers/promises';
import type { Config } from '../../shared/config.ts';
import { withTimeout } from '../../shared/deadline.ts';
import { createEngineClient } from '../../shared/engine/client.ts';
import { createEngine, type Engine, type Submission } from '../../shared/engine/engine.ts';
import type { Assistant, AssistantTool } from '../../shared/model/assistant.ts';
import { newId } from '../../shared/model/ids.ts';
import type { Project } from '../../shared/model/project.ts';
import type { EngineRunState } from '../../shared/model/runState.ts';
import { CheckError, type Checklist } from './checklist.ts';

/*
 * Tries, one by one, the calls that docs/configuration.md lists, by the service's own client of the engine: in a
 * conversation of its own, which it removes in the end. It takes a few short replies of the configured models.
 */

/** Maximum time for a response to be in progress, and for one to end, in milliseconds. */
const startedMs = 30_000;
const endedMs = 120_000;

/** Attempts to start a response in a locked conversation, and the pause between them, in milliseconds. */
const maxTries = 5;
const lockedMs = 3_000;

/** How long an engine may hide a new response, in milliseconds. */
const hiddenMs = 45_000;

/** Interval between two reads of a response, in milliseconds. */
const pollMs = 1_000;

const shortQuestion = 'Say hello in at most five words.';
const longTask = 'Write the numbers from 1 to 3000 as words, one a line, and leave none out.';
const search = 'Search the documents and name one topic that they cover, in at most ten words.';

/** A response that the engine has accepted, and the events of its own stream. */
interface Started extends Extract<Submission, { outcome: 'accepted' }> {}

const asked = {
  open: 'POST /conversations: create a conversation',
  start: 'POST /responses: start a response in the background, in that conversation, as a stream',
  resume: 'GET /responses/{id}?stream=true: take the stream up again after it was dropped in progress',
  find: 'GET /responses/{id}: find the completed response',
  list: 'GET /conversations/{id}/items: list the question and the reply',
  cancel: 'POST /responses/{id}/cancel: cancel a response in progress',
  remove: 'DELETE /conversations/{id}: delete the conversation',
};

/**
 * Checks the engine with the configured assistants and the vector stores of the projects.
 * @param callMs timeout of a call, in milliseconds.
 */
export async function checkEngine(
  list: Checklist,
  config: Config,
  projects: readonly Project[],
  callMs: number,
): Promise<void> {
  const credential = config.engine.apiKey === undefined ? 'Entra ID' : 'key';
  list.heading(`Engine ${config.engine.baseUrl} (${credential})`);
  const engine = createEngine(createEngineClient(config.engine));
  const assistants = [...config.assistants.values()];
  const [first] = assistants;
  const opened = await list.check(asked.open, () => engine.openConversation({ purpose: 'doctor' }, callMs));
  if (!opened || !first) {
    for (const rest of Object.values(asked).slice(1)) list.skip(rest, 'without a conversation');
    return;
  }
  const context = { list, engine, conversationId: opened.value, callMs };
  try {
    const usable = await checkResponse(context, { ...first, tools: [] });
    if (usable) {
      await checkModels(context, first.model, assistants);
      await checkTools(context, assistants, projects);
      await checkCancel(context, { ...first, tools: [] });
    } else {
      list.skip(asked.cancel, 'without a response');
    }
  } finally {
    await list.check(asked.remove, () => engine.removeConversation(context.conversationId, callMs));
  }
}

interface Context {
  readonly list: Checklist;
  readonly engine: Engine;
  readonly conversationId: string;
  /** Timeout of a call, in milliseconds. */
  readonly callMs: number;
}

/** Checks one response from its start to its place in the conversation. @returns whether it was accepted. */
async function checkResponse(context: Context, assistant: Assistant): Promise<boolean> {
  const { list, engine, conversationId, callMs } = context;
  const started = await list.check(`${asked.start} (model "${assistant.model}")`, () =>
    start(context, assistant, shortQuestion),
  );
  if (!started) {
    for (const rest of [asked.resume, asked.find, asked.list]) list.skip(rest, 'without a response');
    return false;
  }
  const { responseId } = started.value;
  await list.check(asked.resume, () => dropAndResume(engine, started.value));
  await list.check(asked.find, async () => expectCompleted(await untilEnded(context, responseId)));
  await list.check(asked.list, async () => {
    const { messages } = await engine.listMessages(conversationId, { order: 'asc', limit: 10 }, callMs);
    const roles = messages.map(({ role }) => role).join(', ');
    if (roles !== 'user, assistant') {
      throw new CheckError(`the conversation holds ${roles || 'nothing'}, instead of user, assistant`, {
        advice: 'whether the engine adds input and reply of a response to its `conversation`.',
      });
    }
  });
  return true;
}

/** Checks the models of the other assistants. */
async function checkModels(
  context: Context,
  checked: string,
  assistants: readonly Assistant[],
): Promise<void> {
  const others = assistants.filter(
    ({ model }, index) => model !== checked && assistants.findIndex((one) => one.model === model) === index,
  );
  for (const assistant of others) {
    await context.list.check(`model "${assistant.model}" of ${assistant.id}: reply`, () =>
      reply(context, { ...assistant, tools: [] }, shortQuestion),
    );
  }
}

/** Checks every vector store and every other tool that an assistant or a project names. */
async function checkTools(
  context: Context,
  assistants: readonly Assistant[],
  projects: readonly Project[],
): Promise<void> {
  const checked = new Set<string>();
  const check = async (name: string, assistant: Assistant, tool: AssistantTool) => {
    if (checked.has(name)) return;
    checked.add(name);
    await context.list.check(`${name}: reply with it (${assistant.id})`, () =>
      reply(context, { ...assistant, tools: [tool] }, tool.type === 'file_search' ? search : shortQuestion),
    );
  };
  const checkStores = async (assistant: Assistant, vectorStoreIds: readonly string[]) => {
    for (const id of vectorStoreIds) {
      await check(`file_search in ${id}`, assistant, { type: 'file_search', vectorStoreIds: [id] });
    }
  };
  for (const assistant of assistants) {
    for (const tool of assistant.tools ?? []) {
      if (tool.type === 'file_search') await checkStores(assistant, tool.vectorStoreIds ?? []);
      else await check(tool.type, assistant, tool);
    }
  }
  for (const { assistantId, vectorStoreIds = [] } of projects) {
    const assistant = assistants.find(({ id }) => id === assistantId);
    if (assistant) await checkStores(assistant, vectorStoreIds);
  }
}

async function checkCancel(context: Context, assistant: Assistant): Promise<void> {
  const { list, engine, callMs } = context;
  await list.check(asked.cancel, async () => {
    const started = await start(context, assistant, longTask);
    await untilInProgress(started);
    started.stream.close();
    const { status } = await engine.cancel(started.responseId, callMs);
    if (status === 'absent') {
      throw new CheckError('the engine answered 404', {
        advice: 'whether the engine can cancel a response in the background.',
      });
    }
    const state = await untilEnded(context, started.responseId);
    // A model may be done before it is cancelled; then the engine has at least answered.
    if (state.status !== 'cancelled' && state.status !== 'completed') {
      throw new CheckError(`after the cancel, the response is ${state.status}`);
    }
  });
}

/** Starts a response. @throws {AppError} what the engine's client throws. */
async function start(context: Context, assistant: Assistant, message: string): Promise<Started> {
  for (let tries = 1; ; tries++) {
    const submission = await submit(context, assistant, message);
    if (submission.outcome === 'accepted') return submission;
    if (submission.outcome === 'refused') {
      throw new CheckError(`the engine refused the prompt: ${submission.errorCode}`, {
        advice: 'the content filter of the model, and the instructions of the assistant.',
      });
    }
    // Engines keep a conversation locked for some seconds after a response.
    if (submission.error.code !== 'thread_busy' || tries === maxTries) throw submission.error;
    await scheduler.wait(lockedMs);
  }
}

function submit(
  { engine, conversationId, callMs }: Context,
  assistant: Assistant,
  message: string,
): Promise<Submission> {
  const createdAt = new Date();
  const ids = { projectId: 'doctor', threadId: newId('thread', createdAt), runId: newId('run', createdAt) };
  const { id: assistantId } = assistant;
  return engine.submit(
    {
      run: {
        ...ids,
        assistantId,
        status: 'queued',
        createdAt,
        expiresAt: new Date(createdAt.getTime() + endedMs),
      },
      project: { projectId: ids.projectId, name: 'Doctor', assistantId, members: [], groups: [] },
      input: { message, instructions: null },
      conversationId,
      assistant,
    },
    callMs,
  );
}

/** Starts a response and waits for its end. */
async function reply(context: Context, assistant: Assistant, message: string): Promise<void> {
  const started = await start(context, assistant, message);
  await untilInProgress(started);
  started.stream.close();
  expectCompleted(await untilEnded(context, started.responseId));
}

/** Reads a response's own stream until it is in progress. @returns the sequence number of the last event. */
async function untilInProgress({ state, stream }: Started): Promise<number> {
  // The stream of the create counts its events from 0, and the first one has been read.
  if (state.status !== 'queued') return 0;
  const sequence = await withTimeout(startedMs, async (signal) => {
    signal.addEventListener('abort', () => stream.close());
    for await (const event of stream.events) {
      if (event.state && event.state.status !== 'queued') return event.sequence;
    }
    return undefined;
  });
  if (sequence === undefined) throw new CheckError('the stream ended before the response was in progress');
  return sequence;
}

const noBackground =
  'whether the engine supports background mode (`background: true` with `stream: true` and `store: true`): a response must go on when its client leaves, and its stream must be readable again.';

async function dropAndResume(engine: Engine, started: Started): Promise<void> {
  const sequence = await untilInProgress(started);
  started.stream.close();
  const last = await withTimeout(endedMs, async (signal) => {
    let state: EngineRunState | undefined;
    for await (const event of engine.follow(started.responseId, sequence, signal)) {
      if (event.sequence <= sequence) {
        throw new CheckError('the resumed stream repeats events', { advice: noBackground });
      }
      state = event.state ?? state;
    }
    return state?.status;
  }).catch((error) => {
    if (error instanceof CheckError) throw error;
    const { status } = error as { status?: number };
    const why = status === undefined ? 'the stream broke' : `the engine answered ${status}`;
    throw new CheckError(why, { advice: noBackground });
  });
  if (last === undefined || last === 'queued' || last === 'in_progress') {
    throw new CheckError('the resumed stream ended before the response', { advice: noBackground });
  }
}

/** Reads a response until it has ended. */
async function untilEnded({ engine, callMs }: Context, responseId: string): Promise<EngineRunState> {
  for (const start = performance.now(); ; await scheduler.wait(pollMs)) {
    const state = await engine.find(responseId, callMs);
    if (!['queued', 'in_progress', 'absent'].includes(state.status)) return state;
    const elapsedMs = performance.now() - start;
    if (state.status === 'absent' && elapsedMs > hiddenMs) {
      throw new CheckError('the engine does not know the response (404)', { advice: noBackground });
    }
    if (elapsedMs > endedMs) throw new CheckError(`the response is still ${state.status}`);
  }
}

function expectCompleted(state: EngineRunState): void {
  if (state.status === 'completed') return;
  const reason = state.status === 'failed' ? `: ${state.reason}` : '';
  throw new CheckError(`the response is ${state.status}${reason}`, {
    advice:
      state.status === 'failed' ? 'the model, its quota, and the settings of the assistant.' : noBackground,
  });
}
