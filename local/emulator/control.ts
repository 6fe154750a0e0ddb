/**
 * The control API, with which tests configure and inspect the emulator, below `/control/`. Its requests are neither
 * logged nor subject to faults. Invalid requests get a 400.
 *
 * | request | body | effect or response |
 * |---|---|---|
 * | `POST faults` | `{match, times, fault}` | injects a fault into the next matching requests |
 * | `DELETE faults` | | removes pending faults |
 * | `POST outcomes` | `{times, outcome}` | sets the outcome of the next responses created |
 * | `DELETE outcomes` | | removes pending outcomes |
 * | `POST index-errors` | `{times, error: {code, message}}` | lets the indexing of the next files of vector stores fail |
 * | `DELETE index-errors` | | removes pending errors |
 * | `POST vector-stores` | `{id, name}` | creates an empty vector store with that id |
 * | `GET files` | | all uploaded files |
 * | `PATCH timing` | any of `Timing` | changes the timing of later responses and cancellations |
 * | `PATCH behaviour` | any of `Behaviour` | changes behaviour in which real engines differ |
 * | `DELETE settings` | | resets timing and behaviour |
 * | `POST forget` | `{responseId}`, or `{}` for all | makes responses unreadable; active ones continue and still append |
 * | `POST expire-containers` | `{containerId}`, or `{}` for all | lets containers expire: they and their files are gone |
 * | `GET streams` | | `{open}`: the number of clients that stream a response |
 * | `GET calls` | | `{calls, counts}`: the newest requests, and the number of requests by kind |
 * | `DELETE calls` | | clears the log |
 * | `POST reset` | | removes pending faults, outcomes and index errors, resets the settings and clears the log |
 * | `GET responses` | | all responses in the order of their creation, including unreadable ones: their request with its input items and tools (tokens of MCP servers included), output, and how and when they ended |
 * | `POST find-responses` | `{runId}` | the responses with this `metadata.runId`, as above |
 * | `DELETE state` | | clears everything; later requests for what there was are not logged |
 *
 * `times` is 1 by default, and null for always. `match` is `{method, path, exact, stream}`: `*` in a path matches one
 * segment, a path matches as a prefix unless `exact`, and `stream` selects GETs with or without `stream=true`.
 *
 * | fault | effect |
 * |---|---|
 * | `{kind: 'status', status, code, type, message, headers}` | responds with that error; no effect |
 * | `{kind: 'refuse', reason}` | refuses a create as real engines do, see `refusals.ts`; no effect |
 * | `{kind: 'error_event', code, message, shape}` | responds with a stream of one `error` event; no effect |
 * | `{kind: 'garbage'}` | responds with 200 and HTML; no effect |
 * | `{kind: 'drop'}`, `{kind: 'hang'}` | drops the connection, or never responds; no effect |
 * | `{kind: 'drop_after'}`, `{kind: 'hang_after'}` | the same, after handling the request |
 * | `{kind: 'cut', afterBytes}` | drops the connection after that many bytes of a file |
 * | `{kind: 'delay', ms}` | handles the request after a delay |
 * | `{kind: 'stream', afterEvents, extraBytes, how, repeat, firstEventMs}` | disturbs a stream, see `StreamFault` |
 *
 * | outcome | effect |
 * |---|---|
 * | `{status: 'completed', output}` | outputs these items, see `OrderedItem` |
 * | `{status: 'refusal', text}` | outputs a refusal message |
 * | `{status: 'failed', code, message, errorEvent, output}` | fails; `errorEvent`: `nested` or `flat` sends an `error` event first; `output`: items of the response that its conversation does not get |
 * | `{status: 'incomplete', reason, output}` | ends early for `max_output_tokens` or `content_filter`, with these items or else with half of its reply |
 * | `{status: 'never'}` | stays in progress until cancelled |
 *
 * @module
 */
import type { VectorStoreFile } from 'openai/resources/vector-stores';
import type { CallLog } from './calls.ts';
import { expireContainers } from './containers.ts';
import { clearEngine, type Engine, resetEngine } from './engine.ts';
import { ApiError, badRequest, notFound } from './errors.ts';
import { type Faults, parseTimes } from './faults.ts';
import { type HandlerResult, ok } from './http.ts';
import { textOf } from './items.ts';
import { forget, settle, statusOf } from './lifecycle.ts';
import { parseOutcome } from './outcomes.ts';
import { toWireResponse } from './representation.ts';
import type { Behaviour, JsonObject, ResponseRecord, Timing } from './types.ts';
import { isObject, parseRequiredText, parseText, rejectUnknown } from './validation.ts';
import { addStore } from './vectorStores.ts';

/** The state behind the API below `/v1`, which the control API changes. */
export interface Controlled {
  engine: Engine;
  faults: Faults;
  calls: CallLog;
  /** Ids of what was cleared. Requests for it may still be under way: they are neither logged nor subject to faults. */
  cleared: Set<string>;
  /** The only key that the API accepts; undefined to accept any. */
  apiKey: string | undefined;
}

type ControlHandler = (controlled: Controlled, body: JsonObject) => unknown;

const done = { done: true };

const handlers: Record<string, ControlHandler> = {
  'POST /control/faults': ({ faults }, body) => faults.add(body),
  'DELETE /control/faults': ({ faults }) => faults.clear(),
  'POST /control/outcomes': ({ engine }, body) => {
    engine.outcomes.push({ outcome: parseOutcome(body['outcome']), times: parseTimes(body['times']) });
  },
  'DELETE /control/outcomes': ({ engine }) => {
    engine.outcomes = [];
  },
  'POST /control/index-errors': ({ engine }, body) => {
    engine.indexErrors.push({ error: parseIndexError(body['error']), times: parseTimes(body['times']) });
  },
  'DELETE /control/index-errors': ({ engine }) => {
    engine.indexErrors = [];
  },
  'POST /control/vector-stores': ({ engine }, body) =>
    addStore(engine, { id: parseRequiredText(body, 'id'), name: parseText(body, 'name') ?? '' }),
  'GET /control/files': ({ engine }) => [...engine.files.values()],
  'POST /control/expire-containers': ({ engine }, body) =>
    expireContainers(engine, parseText(body, 'containerId') ?? undefined),
  'POST /control/forget': ({ engine }, body) => forgetResponses(engine, body['responseId']),
  'PATCH /control/timing': ({ engine }, body) => changeTiming(engine, body),
  'PATCH /control/behaviour': ({ engine }, body) => changeBehaviour(engine, body),
  'DELETE /control/settings': ({ engine }) => resetEngine(engine),
  'GET /control/streams': ({ engine }) => ({ open: openStreams(engine) }),
  'GET /control/calls': ({ calls }) => calls.list(),
  'DELETE /control/calls': ({ calls }) => calls.clear(),
  'POST /control/reset': ({ engine, faults, calls }) => {
    faults.clear();
    engine.outcomes = [];
    engine.indexErrors = [];
    resetEngine(engine);
    calls.clear();
  },
  'GET /control/responses': ({ engine }) => summarizeAll(engine),
  'POST /control/find-responses': ({ engine }, { runId }) =>
    [...engine.responses.values()]
      .filter(({ request }) => request.metadata['runId'] === runId)
      .map((record) => summarize(engine, record)),
  'DELETE /control/state': ({ engine, faults, calls, cleared }) => {
    for (const records of [engine.conversations, engine.responses, engine.files]) {
      for (const id of records.keys()) cleared.add(id);
    }
    clearEngine(engine);
    faults.clear();
    calls.clear();
  },
};

/** Handles a request to the control API. @throws {ApiError} 404 for an unknown route, 400 for an invalid body. */
export function control(
  controlled: Controlled,
  method: string,
  path: string,
  body: JsonObject,
): HandlerResult {
  const handler = handlers[`${method} ${path}`];
  if (!handler) throw new ApiError(404, `Invalid URL (${method} ${path})`);
  return ok(handler(controlled, body) ?? done);
}

/** Returns the number of clients that stream a response. */
const openStreams = ({ watchers }: Engine): number =>
  [...watchers.values()].reduce((sum, { size }) => sum + size, 0);

function forgetResponses(engine: Engine, id: unknown): void {
  const record = engine.responses.get(String(id));
  if (id !== undefined && !record) throw notFound('Response', String(id), 'responseId');
  for (const forgotten of record ? [record] : engine.responses.values()) forget(engine, forgotten);
}

function parseIndexError(error: unknown): VectorStoreFile.LastError {
  if (!isObject(error)) throw badRequest("'error' must be an object.", 'error');
  const { code = 'server_error', message = 'Ordered by the control API.' } = error;
  return { code: String(code) as VectorStoreFile.LastError['code'], message: String(message) };
}

function changeTiming(engine: Engine, body: JsonObject): Timing {
  rejectUnknown(body, new Set(Object.keys(engine.timing)));
  for (const [name, value] of Object.entries(body)) {
    const isNever = name === 'completeAfterCancelMs' && value === null;
    if (!isDuration(value) && !isNever) throw badRequest(`'${name}' is a time in whole milliseconds.`, name);
  }
  engine.timing = { ...engine.timing, ...body };
  return engine.timing;
}

function changeBehaviour(engine: Engine, body: JsonObject): Behaviour {
  rejectUnknown(body, new Set(Object.keys(engine.behaviour)));
  const { appendInput = 'completion', ...flags } = body;
  for (const [name, value] of Object.entries(flags))
    if (typeof value !== 'boolean') throw badRequest(`'${name}' is true or false.`, name);
  if (appendInput !== 'completion' && appendInput !== 'creation')
    throw badRequest("'appendInput' is 'completion' or 'creation'.", 'appendInput');
  engine.behaviour = { ...engine.behaviour, ...body };
  return engine.behaviour;
}

/** Returns whether a value is a duration: a non-negative integer, in milliseconds. */
export function isDuration(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}

function summarizeAll(engine: Engine) {
  const records = [...engine.responses.values()];
  const counts = new Map<unknown, number>();
  for (const { request } of records) {
    const runId = request.metadata['runId'];
    counts.set(runId, (counts.get(runId) ?? 0) + 1);
  }
  return records.map((record) => {
    const { runId } = record.request.metadata;
    return { ...summarize(engine, record), responsesOfRun: runId === undefined ? null : counts.get(runId) };
  });
}

function summarize(engine: Engine, record: ResponseRecord) {
  settle(engine, record);
  const { conversationId, metadata, instructions, input, tools, model } = record.request;
  const inputText = input.map(textOf).join('\n');
  return {
    id: record.id,
    conversation: conversationId,
    status: statusOf(record),
    /** More precise than the API's `created_at`, in seconds. */
    createdAtMs: record.createdAtMs,
    cancelledAtMs: record.cancelledAtMs,
    endedAtMs: record.end?.atMs ?? null,
    metadata,
    instructions,
    inputText,
    input,
    tools,
    output: toWireResponse(record).output,
    model,
  };
}
