import type { ServerResponse } from 'node:http';
import { scheduler } from 'node:timers/promises';
import { ApiError, badRequest } from './errors.ts';
import { errorBody } from './events.ts';
import { eventStreamHeaders, sendJson } from './http.ts';
import type { ErrorEventShape } from './outcomes.ts';
import { isRefusalReason, type Refusal, type RefusalReason, refusals } from './refusals.ts';
import type { JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/** A fault to inject. `…_after` handles the request and withholds the response; the others prevent or delay handling. */
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
  | { kind: 'cut'; afterBytes: number }
  | { kind: 'refuse'; reason: RefusalReason }
  | { kind: 'error_event'; code: string; message?: string; shape?: ErrorEventShape }
  | StreamFault;

/** Handles the request, and disturbs the stream that is its response. */
export interface StreamFault {
  kind: 'stream';
  /** Number of events after which the stream breaks; by default it does not. */
  afterEvents?: number;
  /** Number of bytes sent after those events. */
  extraBytes?: number;
  /** How the stream breaks: `drop` (default) drops the connection, `stall` stops sending, `end` ends it properly. */
  how?: 'drop' | 'stall' | 'end';
  /** Whether the stream ignores `starting_after` and starts at its first event. */
  repeat?: boolean;
  /** Delay between the headers and the first event, in milliseconds. */
  firstEventMs?: number;
}

interface FaultRule {
  method: string | null;
  /** Path segments to match; `*` matches any. */
  segments: string[];
  exact: boolean;
  stream: boolean | null;
  times: number | null;
  fault: Fault;
}

/** Pending faults, applied oldest first to matching requests. */
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
  'cut',
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

/** Applies a fault before a request is handled. @returns whether the request must not be handled any more. */
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

/** Applies a fault before the response is sent. @returns whether no response must be sent. */
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
  // Only GETs request a stream in their query.
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
  if (fault['kind'] === 'cut' && !Number.isInteger(fault['afterBytes']))
    throw badRequest("'fault.afterBytes' is missing.");
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

/** Parses how often a fault or outcome applies: once by default, null for always. */
export function parseTimes(times: unknown): number | null {
  if (times === undefined) return 1;
  if (times === null || (Number.isInteger(times) && Number(times) > 0)) return times as number | null;
  throw badRequest("'times' must be a positive integer or null.", 'times');
}
