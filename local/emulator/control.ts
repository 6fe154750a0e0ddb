import type { CallLog } from './calls.ts';
import { clearEngine, type Engine } from './engine.ts';
import { ApiError, badRequest, notFound } from './errors.ts';
import { type Faults, parseTimes } from './faults.ts';
import { ok, type Reply } from './http.ts';
import { textOf } from './items.ts';
import { forget, settle, statusOf } from './lifecycle.ts';
import type { JsonObject, Outcome, ResponseRecord } from './types.ts';
import { isObject } from './validation.ts';

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

/**
 * Bodies: a fault `{match: {method, path, exact}, times, fault}`, where a path matches as a prefix unless `exact`;
 * an outcome `{times, outcome}`; `forget` takes `{responseId}` or nothing for all; `timing` takes `{queueMs, runMs}`.
 */
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
  'GET /control/streams': ({ engine }) => ({ open: openStreams(engine) }),
  'GET /control/calls': ({ calls }) => calls.list(),
  'DELETE /control/calls': ({ calls }) => calls.clear(),
  'GET /control/responses': ({ engine }) =>
    [...engine.responses.values()].map((record) => summarize(engine, record)),
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

function parseOutcome(outcome: unknown): Outcome {
  if (!isObject(outcome)) throw badRequest("'outcome' must be an object.", 'outcome');
  const { status, code = 'server_error', message = 'The model failed to answer.', reason } = outcome;
  if (status === 'never') return { status };
  if (status === 'failed') return { status, code: String(code), message: String(message) };
  if (status === 'incomplete' && (reason === 'max_output_tokens' || reason === 'content_filter')) {
    return { status, reason };
  }
  throw badRequest(
    "'outcome.status' must be failed, incomplete (with a known 'reason') or never.",
    'outcome',
  );
}

function forgetResponses(engine: Engine, id: unknown): void {
  const record = engine.responses.get(String(id));
  if (id !== undefined && !record) throw notFound('Response', String(id), 'responseId');
  for (const forgotten of record ? [record] : engine.responses.values()) forget(engine, forgotten);
}

function changeTiming(engine: Engine, body: JsonObject) {
  const { queueMs = engine.timing.queueMs, runMs = engine.timing.runMs } = body;
  if (!isDuration(queueMs) || !isDuration(runMs))
    throw badRequest("'queueMs' and 'runMs' are whole milliseconds.");
  engine.timing = { queueMs, runMs };
  return engine.timing;
}

/** Whether a value is a time the emulator can wait for: whole milliseconds, none below zero. */
export function isDuration(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
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
    endedAtMs: record.end?.atMs ?? null,
    metadata,
    instructions,
    inputText,
    model,
  };
}
