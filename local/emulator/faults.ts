import type { ServerResponse } from 'node:http';
import { scheduler } from 'node:timers/promises';
import { ApiError, badRequest } from './errors.ts';
import { errorBody } from './events.ts';
import { eventStreamHeaders, sendJson } from './http.ts';
import { isRefusalReason, type Refusal, type RefusalReason, refusals } from './refusals.ts';
import type { ErrorEventShape, JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/** `…_after` does what the request asks and withholds the answer; the others act before anything is done. */
export type Fault =
  | {
      kind: 'status';
      status: number;
      code?: string;
      type?: string;
      message?: string;
      headers?: Record<string, string>;
    }
  | { kind: 'hang' | 'hang_after' | 'drop' | 'drop_after' }
  | { kind: 'delay'; ms: number }
  | { kind: 'garbage' }
  | { kind: 'refuse'; reason: RefusalReason }
  | { kind: 'error_event'; code: string; message?: string; shape?: ErrorEventShape }
  | StreamFault;

/** Does what the request asks, and spoils the stream that answers it. */
export interface StreamFault {
  kind: 'stream';
  /** The stream breaks after as many events; never, when absent. */
  afterEvents?: number;
  /** How many bytes of what follows those events are still sent. */
  extraBytes?: number;
  /** How it breaks, by default `drop`: connection cut, open but silent, or ended properly though too early. */
  how?: 'drop' | 'stall' | 'end';
  /** Whether the stream begins at its first event whatever `starting_after` says. */
  repeat?: boolean;
  /** How much later than the headers the first event comes. */
  firstEventMs?: number;
}

interface FaultRule {
  method: string | null;
  /** Segments of a path's beginning, `*` for any one. */
  segments: string[];
  exact: boolean;
  stream: boolean | null;
  times: number | null;
  fault: Fault;
}

/** Faults waiting for requests that match them, the oldest first. */
export interface Faults {
  add(body: JsonObject): void;
  take(method: string, path: string, isForStream: boolean): Fault | null;
  clear(): void;
}

const kinds = [
  'status',
  'hang',
  'hang_after',
  'drop',
  'drop_after',
  'delay',
  'garbage',
  'refuse',
  'error_event',
  'stream',
];

export function createFaults(): Faults {
  let rules: FaultRule[] = [];
  return {
    add: (body) => {
      rules.push(parseRule(body));
    },
    take: (method, path, isForStream) => {
      const rule = rules.find((candidate) => matches(candidate, method, path, isForStream));
      if (!rule) return null;
      if (rule.times !== null && --rule.times === 0) rules = rules.filter((other) => other !== rule);
      return rule.fault;
    },
    clear: () => {
      rules = [];
    },
  };
}

/** Does what the fault does before the work. True when the request is thereby done with. */
export async function actBefore(fault: Fault, response: ServerResponse): Promise<boolean> {
  switch (fault.kind) {
    case 'status':
      sendStatus(fault, response);
      return true;
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' }).end('<html>502 Bad Gateway</html>');
      return true;
    case 'refuse':
      sendRefusal(fault.reason, response);
      return true;
    case 'error_event':
      sendErrorEvent(fault, response);
      return true;
    case 'drop':
      response.destroy();
      return true;
    case 'hang':
      return true;
    case 'delay':
      await scheduler.wait(fault.ms);
      return false;
    default:
      return false;
  }
}

/** Does what the fault does in place of the answer. True when there is thereby none. */
export function actAfter(fault: Fault, response: ServerResponse): boolean {
  if (fault.kind === 'drop_after') response.destroy();
  return fault.kind === 'drop_after' || fault.kind === 'hang_after';
}

function sendStatus(fault: Extract<Fault, { kind: 'status' }>, response: ServerResponse): void {
  const { status, code, message = 'Ordered by the control API.', headers = {} } = fault;
  const type = fault.type ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  sendJson(
    response,
    status,
    new ApiError(status, message, { type, ...(code !== undefined && { code }) }).body,
  );
}

function sendRefusal(reason: RefusalReason, response: ServerResponse): void {
  const { status, headers = {}, error }: Refusal = refusals[reason];
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  sendJson(response, status, { error });
}

function sendErrorEvent(fault: Extract<Fault, { kind: 'error_event' }>, response: ServerResponse): void {
  const { code, message = 'Ordered by the control API.', shape = 'nested' } = fault;
  const data = JSON.stringify({ type: 'error', sequence_number: 0, ...errorBody(shape, code, message) });
  response.writeHead(200, eventStreamHeaders).end(`event: error\ndata: ${data}\n\n`);
}

function matches(rule: FaultRule, requestMethod: string, path: string, isForStream: boolean): boolean {
  const { method, segments, exact, stream } = rule;
  const actual = toSegments(path);
  // Only the query of a GET tells whether it asks for a stream.
  if (stream !== null && requestMethod === 'GET' && stream !== isForStream) return false;
  if (method !== null && method !== requestMethod) return false;
  if (exact ? actual.length !== segments.length : actual.length < segments.length) return false;
  return segments.every((segment, index) => segment === '*' || segment === actual[index]);
}

function toSegments(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function parseRule({ match = {}, times, fault }: JsonObject): FaultRule {
  if (!isObject(fault) || !kinds.includes(String(fault['kind']))) {
    throw badRequest(`'fault.kind' must be one of ${kinds.join(', ')}.`, 'fault');
  }
  if (fault['kind'] === 'status' && !Number.isInteger(fault['status']))
    throw badRequest("'fault.status' is missing.");
  if (fault['kind'] === 'delay' && typeof fault['ms'] !== 'number')
    throw badRequest("'fault.ms' is missing.");
  if (fault['kind'] === 'refuse' && !isRefusalReason(fault['reason']))
    throw badRequest(`'fault.reason' must be one of ${Object.keys(refusals).join(', ')}.`, 'fault');
  if (!isObject(match)) throw badRequest("'match' must be an object.", 'match');
  const { method, path, exact, stream = fault['kind'] === 'stream' ? true : null } = match;
  return {
    method: typeof method === 'string' ? method.toUpperCase() : null,
    segments: toSegments(typeof path === 'string' ? path : ''),
    exact: exact === true,
    stream: typeof stream === 'boolean' ? stream : null,
    times: parseTimes(times),
    fault: fault as unknown as Fault,
  };
}

/** How often an order of the control API holds: once by default, null for always. */
export function parseTimes(times: unknown): number | null {
  if (times === undefined) return 1;
  if (times === null || (Number.isInteger(times) && Number(times) > 0)) return times as number | null;
  throw badRequest("'times' must be a positive integer or null.", 'times');
}
