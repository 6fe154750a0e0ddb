import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import {
  CredentialUnavailable,
  engineFetch,
  isCallMismatch,
  isRefusal,
  toAppError,
  toStartError,
} from '../../../shared/engine/engineErrors.ts';

/** The very error that the engine's client throws for a response. */
const answered = (status: number, code: string | null = null, headers: Record<string, string> = {}) =>
  APIError.generate(status, { error: { message: 'Canary.', code } }, undefined, new Headers(headers));

describe('a response of the engine', () => {
  test.each([
    [400, null, 'refused', 'internal_error'],
    [400, 'conversation_locked', 'refused', 'thread_busy'],
    [409, 'conversation_locked', 'refused', 'thread_busy'],
    [401, 'invalid_api_key', 'refused', 'internal_error'],
    [403, null, 'refused', 'internal_error'],
    [404, null, 'refused', 'thread_not_found'],
    [404, 'not_found', 'refused', 'thread_not_found'],
    [404, 'model_not_found', 'refused', 'internal_error'],
    [404, 'DeploymentNotFound', 'refused', 'internal_error'],
    [408, null, 'unknown', 'unavailable'],
    [409, null, 'refused', 'internal_error'],
    [413, null, 'refused', 'internal_error'],
    [422, null, 'refused', 'internal_error'],
    [429, 'rate_limit_exceeded', 'refused', 'rate_limited'],
    [429, 'insufficient_quota', 'refused', 'rate_limited'],
    [500, null, 'unknown', 'unavailable'],
    [500, 'conversation_locked', 'unknown', 'unavailable'],
    [502, null, 'unknown', 'unavailable'],
    [503, null, 'unknown', 'unavailable'],
    [504, null, 'unknown', 'unavailable'],
    [529, null, 'unknown', 'unavailable'],
  ])('of %i with code %j means that the run is %s, and %s', (status, code, outcome, expected) => {
    const error = answered(status, code);
    expect(isRefusal(error) ? 'refused' : 'unknown').toBe(outcome);
    expect(toStartError(error).code).toBe(expected);
  });

  test.each([
    ['a proxy, without the error of the API', undefined],
    ['a vector store', { error: { message: "Vector store with id ['vs_1'] not found.", code: null } }],
  ])('of 404 about %s means a fault of ours', (_name, body) => {
    const error = APIError.generate(404, body, undefined, new Headers());
    expect(toStartError(error).code).toBe('internal_error');
  });

  test('of 404 means a fault of ours where nothing may be missing', () => {
    expect(toAppError(answered(404)).code).toBe('internal_error');
  });

  test('goes no further than the cause of the error', () => {
    const error = answered(400);
    const { message, options } = toAppError(error, 'thread_not_found');
    expect(message).toBe('internal_error');
    expect(options).toEqual({ cause: error });
  });

  test.each<[number | undefined, Record<string, string>]>([
    [7, { 'retry-after': '7' }],
    [0, { 'retry-after': '0' }],
    [1.5, { 'retry-after-ms': '1500' }],
    [1.5, { 'retry-after-ms': '1500', 'retry-after': '7' }],
    [7, { 'retry-after-ms': 'soon', 'retry-after': '7' }],
    [7, { 'retry-after-ms': '-1', 'retry-after': '7' }],
    [0, { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }],
    [undefined, { 'retry-after': 'soon' }],
    [undefined, { 'retry-after': '' }],
    [undefined, {}],
  ])('says to come again in %j seconds with the headers %j', (seconds, headers) => {
    for (const status of [429, 503]) {
      expect(toAppError(answered(status, null, headers)).options.retryAfterSeconds).toBe(seconds);
    }
  });

  test('may give a date to come again', () => {
    const headers = { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() };
    const { retryAfterSeconds } = toAppError(answered(429, null, headers)).options;
    expect(retryAfterSeconds).toBeGreaterThan(0);
    expect(retryAfterSeconds).toBeLessThanOrEqual(3600);
  });
});

describe('no response of the engine', () => {
  let dropping: Server;
  let port: number;
  let requests = 0;

  beforeAll(async () => {
    dropping = createServer((request) => {
      requests++;
      request.socket.destroy();
    });
    await new Promise<void>((resolve) => dropping.listen(0, '127.0.0.1', resolve));
    port = (dropping.address() as AddressInfo).port;
  });
  afterAll(() => new Promise((resolve) => dropping.close(resolve)));

  /** What the engine's client throws when it creates a run at an address. */
  const failure = (baseURL: string, apiKey: string | (() => Promise<string>) = 'key', timeout = 5000) =>
    new OpenAI({ baseURL, apiKey, timeout, maxRetries: 0, fetch: engineFetch, logLevel: 'off' }).responses
      .create({ model: 'm', input: 'x' })
      .then(
        () => new Error('it answered'),
        (error: unknown) => error,
      );

  /** A port that nobody listens on. */
  const closedPort = async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  };

  test.each(['127.0.0.1', 'localhost'])('means refused when no connection to %s was made', async (host) => {
    const error = await failure(`http://${host}:${await closedPort()}/v1`);
    expect(isRefusal(error)).toBe(true);
    expect(toAppError(error, 'thread_not_found').code).toBe('unavailable');
  });

  test('means unknown when the connection was lost after the request had been sent', async () => {
    requests = 0;
    const error = await failure(`http://127.0.0.1:${port}/v1`);
    expect(requests).toBe(1);
    expect(isRefusal(error)).toBe(false);
    expect(toAppError(error, 'thread_not_found').code).toBe('unavailable');
  });

  test('means refused when there was no token to send', async () => {
    requests = 0;
    const error = await failure(`http://127.0.0.1:${port}/v1`, async () => {
      throw new CredentialUnavailable('none');
    });
    expect(requests).toBe(0);
    expect(isRefusal(error)).toBe(true);
    expect(toAppError(error, 'thread_not_found').code).toBe('unavailable');
  });

  test.each([
    ['it took too long', new APIConnectionTimeoutError()],
    ['it was given up', new APIUserAbortError()],
    ['something else went wrong', new TypeError('x')],
  ])('means unknown when %s', (_name, error) => {
    expect(isRefusal(error)).toBe(false);
    expect(toAppError(error, 'thread_not_found').code).toBe('unavailable');
  });
});

describe('a mismatch of calls and outputs', () => {
  const refused = (status: number, message: string) =>
    APIError.generate(status, { error: { message, code: null } }, undefined, new Headers());

  test.each([
    'No tool output found for function call call_x.',
    'No tool call found for function call output with call_id call_x.',
    'The following MCP approval requests do not have an approval: mcpr_x',
    'No approval request found for approval response with approval_request_id mcpr_x.',
  ])('is known by its text: %s', (message) => {
    expect(isCallMismatch(refused(400, message))).toBe(true);
    expect(isCallMismatch(refused(500, message))).toBe(false);
  });

  test('is none of the other refusals', () => {
    expect(isCallMismatch(refused(400, "Invalid type for 'input'."))).toBe(false);
    expect(isCallMismatch(new TypeError('No tool output found'))).toBe(false);
  });
});
