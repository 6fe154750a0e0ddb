import type { Engine } from './engine.ts';
import { ApiError, badRequest, notFound } from './errors.ts';
import { type Call, type HandlerResult, ok } from './http.ts';
import { includesOf, toPage } from './items.ts';
import { cancel, forget, settle, startResponse, statusOf, strand } from './lifecycle.ts';
import { checkReferences } from './references.ts';
import { toWireResponse } from './representation.ts';
import { parseCreateRequest } from './requests.ts';
import { onEnd, type StreamOptions, streamEvents } from './stream.ts';
import type { ResponseRecord } from './types.ts';
import { parseNumber } from './validation.ts';

/**
 * Creates a response. A foreground response is cancelled when its client disconnects. A background response stays queued
 * forever if its client closes the stream while it is queued.
 */
export async function createResponse(engine: Engine, call: Call): Promise<HandlerResult> {
  const request = parseCreateRequest(call.body);
  if (request.previousResponseId !== null) checkPrevious(engine, request.previousResponseId);
  checkReferences(engine, request);
  const record = startResponse(engine, request);
  if (!request.background) call.onDisconnect(() => cancel(engine, record));
  if (request.stream) {
    if (request.background) call.onDisconnect(() => strand(engine, record));
    return toStream(engine, record, {
      startingAfter: -1,
      obfuscation: request.obfuscation,
      fault: call.streamFault,
    });
  }
  if (request.background) return ok(toWireResponse(record, 'queued'));
  await ended(engine, record, call);
  return ok(toWireResponse(record));
}

const streamableMs = 5 * 60_000;

/** Returns a response, or with `stream=true` its events after `starting_after`. @throws {ApiError} 404; 400 without a stream. */
export function getResponse(engine: Engine, { ids, query, streamFault: fault }: Call): HandlerResult {
  const record = findResponse(engine, ids[0] ?? '');
  if (query.get('stream') !== 'true') return ok(toWireResponse(record, undefined, includesOf(query)));
  if (!record.request.background) {
    throw badRequest(
      'This response cannot be streamed because it was not created with background=true.',
      'stream',
    );
  }
  if (!record.request.stream) {
    throw badRequest(
      'This response cannot be streamed because it was not created with stream=true.',
      'stream',
    );
  }
  if (Date.now() - record.createdAtMs > streamableMs) {
    throw badRequest(
      'This response can no longer be streamed because it is more than 5 minutes old.',
      'stream',
    );
  }
  const startingAfter = parseStartingAfter(query.get('starting_after'));
  return toStream(engine, record, {
    startingAfter,
    obfuscation: query.get('include_obfuscation') !== 'false',
    fault,
  });
}

function toStream(engine: Engine, record: ResponseRecord, options: StreamOptions): HandlerResult {
  return { stream: (response) => streamEvents(engine, record, options, response) };
}

/** Cancels a background response. Idempotent. @throws {ApiError} 400 for one that has ended otherwise. */
export function cancelResponse(engine: Engine, { ids }: Call): HandlerResult {
  const record = findResponse(engine, ids[0] ?? '');
  if (!record.request.background) throw badRequest('Cannot cancel a synchronous response.');
  const status = statusOf(record);
  if (status === 'completed' || status === 'failed' || status === 'incomplete') {
    throw badRequest(`Cannot cancel a ${status} response.`);
  }
  cancel(engine, record);
  return ok(toWireResponse(record));
}

/** Deletes a response, cancelling it if it is active. */
export function deleteResponse(engine: Engine, { ids }: Call): HandlerResult {
  const record = findResponse(engine, ids[0] ?? '');
  cancel(engine, record);
  forget(engine, record);
  return ok({ id: record.id, object: 'response', deleted: true });
}

export function listInputItems(engine: Engine, { ids, query }: Call): HandlerResult {
  return ok(toPage(findResponse(engine, ids[0] ?? '').request.input, query));
}

function findResponse(engine: Engine, id: string): ResponseRecord {
  const record = engine.responses.get(id);
  if (record) settle(engine, record);
  // An active foreground response is not readable.
  const isPrivate = record && !record.request.background && !record.end;
  if (!record?.readable || isPrivate || Date.now() < record.visibleAtMs) throw notFound('Response', id, 'id');
  return record;
}

function checkPrevious(engine: Engine, id: string): void {
  try {
    findResponse(engine, id);
  } catch {
    const details = { param: 'previous_response_id', code: 'previous_response_not_found' };
    throw new ApiError(400, `Previous response with id '${id}' not found.`, details);
  }
}

function parseStartingAfter(text: string | null): number {
  if (text === null) return -1;
  const starting_after = /^\d+$/.test(text) ? Number(text) : text;
  return parseNumber({ starting_after }, 'starting_after', { min: 0, integer: true }) ?? -1;
}

function ended(engine: Engine, record: ResponseRecord, call: Call): Promise<void> {
  return new Promise((resolve) => {
    onEnd(engine, record, resolve);
    call.onDisconnect(resolve);
  });
}
