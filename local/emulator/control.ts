/**
 * The control API: what tests order and what they look at, below `/control/`. Its requests are neither logged nor
 * subject to faults. A refused order answers 400.
 *
 * | request | body | effect or answer |
 * |---|---|---|
 * | `POST faults` | `{match, times, fault}` | a fault for the next requests that match |
 * | `DELETE faults` | | forgets those waiting |
 * | `POST outcomes` | `{times, outcome}` | a fate for the next responses created |
 * | `DELETE outcomes` | | forgets those waiting |
 * | `PATCH timing` | any of `Timing` | the times of later responses and cancels |
 * | `PATCH behaviour` | any of `Behaviour` | switches off what real engines are known to do |
 * | `DELETE settings` | | timing and behaviour as at the start |
 * | `POST forget` | `{responseId}`, or `{}` for all | unreadable from now on; one that runs goes on and still appends |
 * | `GET streams` | | `{open}`: how many clients follow a response |
 * | `GET calls` | | `{calls, counts}`: the newest requests and the number of each kind |
 * | `DELETE calls` | | forgets them |
 * | `GET responses` | | every response ever created, forgotten or not: what it was asked, how and when it ended |
 * | `DELETE state` | | forgets everything |
 *
 * `times` is 1 by default and null for always. `match` is `{method, path, exact, stream}`: `*` in a path stands for
 * one segment, a path matches as a prefix unless `exact`, and `stream` tells GETs that ask for a stream from others.
 *
 * | fault | effect |
 * |---|---|
 * | `{kind: 'status', status, code, type, message, headers}` | that error, nothing done |
 * | `{kind: 'refuse', reason}` | a create refused as real engines do: one of `refusals.ts`, nothing done |
 * | `{kind: 'error_event', code, message, shape}` | a stream of one `error` event, nothing done |
 * | `{kind: 'garbage'}` | 200 with HTML, nothing done |
 * | `{kind: 'drop'}`, `{kind: 'hang'}` | connection cut, or never an answer; nothing done |
 * | `{kind: 'drop_after'}`, `{kind: 'hang_after'}` | the same after the work was done |
 * | `{kind: 'delay', ms}` | the work done that much later |
 * | `{kind: 'stream', afterEvents, extraBytes, how, repeat, firstEventMs}` | a stream spoiled; see `StreamFault` |
 *
 * | outcome | effect |
 * |---|---|
 * | `{status: 'completed', output}` | these items in place of an answer; see `OrderedItem` |
 * | `{status: 'refusal', text}` | a message that is a refusal |
 * | `{status: 'failed', code, message, errorEvent}` | `errorEvent`: `nested` or `flat` puts an `error` event first |
 * | `{status: 'incomplete', reason}` | cut, for `max_output_tokens` or `content_filter` |
 * | `{status: 'never'}` | in progress until it is cancelled |
 *
 * @module
 */
import type { CallLog } from './calls.ts';
import { clearEngine, type Engine, resetEngine } from './engine.ts';
import { ApiError, badRequest, notFound } from './errors.ts';
import { type Faults, parseTimes } from './faults.ts';
import { ok, type Reply } from './http.ts';
import { textOf } from './items.ts';
import { forget, settle, statusOf } from './lifecycle.ts';
import { parseOutcome } from './outcomes.ts';
import type { Behaviour, JsonObject, ResponseRecord, Timing } from './types.ts';
import { rejectUnknown } from './validation.ts';

/** What is served below `/v1`, and what the control API outside it has in its hands. */
export interface Controlled {
  engine: Engine;
  faults: Faults;
  calls: CallLog;
  /** The only key the API accepts; undefined for any. */
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
  'POST /control/forget': ({ engine }, body) => forgetResponses(engine, body['responseId']),
  'PATCH /control/timing': ({ engine }, body) => changeTiming(engine, body),
  'PATCH /control/behaviour': ({ engine }, body) => changeBehaviour(engine, body),
  'DELETE /control/settings': ({ engine }) => resetEngine(engine),
  'GET /control/streams': ({ engine }) => ({ open: openStreams(engine) }),
  'GET /control/calls': ({ calls }) => calls.list(),
  'DELETE /control/calls': ({ calls }) => calls.clear(),
  'GET /control/responses': ({ engine }) => summarizeAll(engine),
  'DELETE /control/state': ({ engine, faults, calls }) => {
    clearEngine(engine);
    faults.clear();
    calls.clear();
  },
};

/** Carries out an order of the control API. @throws ApiError 404 for an unknown one, 400 for a malformed one */
export function control(controlled: Controlled, method: string, path: string, body: JsonObject): Reply {
  const handler = handlers[`${method} ${path}`];
  if (!handler) throw new ApiError(404, `Invalid URL (${method} ${path})`);
  return ok(handler(controlled, body) ?? done);
}

/** How many clients follow a response right now. */
const openStreams = ({ watchers }: Engine): number =>
  [...watchers.values()].reduce((sum, { size }) => sum + size, 0);

function forgetResponses(engine: Engine, id: unknown): void {
  const record = engine.responses.get(String(id));
  if (id !== undefined && !record) throw notFound('Response', String(id), 'responseId');
  for (const forgotten of record ? [record] : engine.responses.values()) forget(engine, forgotten);
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
  for (const [name, value] of Object.entries(body))
    if (typeof value !== 'boolean') throw badRequest(`'${name}' is true or false.`, name);
  engine.behaviour = { ...engine.behaviour, ...body };
  return engine.behaviour;
}

/** Whether a value is a time the emulator can wait for: whole milliseconds, none below zero. */
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
  const { conversationId, metadata, instructions, input, model } = record.request;
  const inputText = input.map(textOf).join('\n');
  return {
    id: record.id,
    conversation: conversationId,
    status: statusOf(record),
    /** To the millisecond, where the API tells whole seconds. */
    createdAtMs: record.createdAtMs,
    cancelledAtMs: record.cancelledAtMs,
    endedAtMs: record.end?.atMs ?? null,
    metadata,
    instructions,
    inputText,
    model,
  };
}
