import { describe, expect, test } from '@jest/globals';
import { AppError, type AppErrorOptions, type ErrorCode } from '../../../shared/errors.ts';
import { errorResponse, jsonResponse } from '../../../shared/http/responses.ts';

const failure = 'An error occurred while creating the thread run';
const requestId = '8e03978e-40d5-43dd-bc93-6894a57f9324';

/** The contract: status and message of every code. The type sees to it that none is left out. */
const contract: Record<Exclude<ErrorCode, 'invalid_request'>, [status: number, message: string]> = {
  unauthorized: [401, 'Unauthorized access'],
  token_expired: [401, 'Unauthorized access'],
  access_denied: [403, 'Access denied to project'],
  editor_required: [403, 'Only editors of the project may do this'],
  document_not_found: [404, 'Document not found'],
  vector_store_not_found: [404, 'Vector store not found'],
  thread_not_found: [404, 'Thread not found'],
  run_not_found: [404, 'Run not found'],
  steps_expired: [410, 'The steps of the run are no longer available'],
  message_not_found: [404, 'Message not found'],
  assistant_not_found: [404, 'Assistant not found'],
  file_not_found: [404, 'File not found'],
  file_not_readable: [409, 'The content of this file cannot be read back'],
  file_expired: [410, 'The file has expired'],
  file_too_large: [413, 'The file is too large'],
  unsupported_media_type: [415, 'The request body or the file has a type that is not accepted'],
  thread_busy: [409, 'Thread already has an active run'],
  run_finished: [409, 'Run has already finished'],
  run_not_waiting: [409, 'Run does not wait for these outputs'],
  idempotency_mismatch: [422, 'The Idempotency-Key was used before with another request body'],
  payload_too_large: [413, 'The request body is larger than 2 MiB'],
  request_timeout: [408, 'The request body did not arrive in time'],
  rate_limited: [429, 'Too many requests'],
  unavailable: [503, failure],
  internal_error: [500, failure],
};
const codes = Object.keys(contract) as (keyof typeof contract)[];

const respond = (error: unknown) => {
  const { status, headers, body } = errorResponse(error, failure, requestId);
  return { status, headers, body: JSON.parse(String(body)) };
};
const respondTo = (code: ErrorCode, options: AppErrorOptions = {}) => respond(new AppError(code, options));

describe('an error', () => {
  test.each(codes)('%s has the status, the message and the fields of the contract', (code) => {
    const [status, message] = contract[code];
    const response = respondTo(code, { cause: new Error('canary') });
    expect(response.status).toBe(status);
    expect(response.headers['Content-Type']).toBe('application/json; charset=utf-8');
    expect(response.body).toEqual({
      message,
      code,
      ...(status >= 500 && { details: requestId }),
      ...(code === 'thread_busy' && { activeRunId: null }),
    });
  });

  test('invalid_request is a problem of the contract, without a code', () => {
    const fieldErrors = { Message: ['The Message field is required.'] };
    expect(respondTo('invalid_request', { fieldErrors })).toEqual({
      status: 400,
      headers: { 'Content-Type': 'application/problem+json; charset=utf-8' },
      body: {
        type: 'https://tools.ietf.org/html/rfc7231#section-6.5.1',
        title: 'One or more validation errors occurred.',
        status: 400,
        errors: fieldErrors,
      },
    });
  });

  test('thread_busy leads to the run that the caller has to wait for', () => {
    const activeRun = { projectId: 'p', threadId: 't', runId: 'run_1' };
    const { body, headers } = respondTo('thread_busy', { activeRun });
    expect(body.activeRunId).toBe('run_1');
    expect(headers['Location']).toBe('/api/projects/p/threads/t/runs/run_1');
  });

  test('unauthorized carries its challenge', () => {
    const { headers } = respondTo('unauthorized', { challenge: 'Bearer realm="x"' });
    expect(headers['WWW-Authenticate']).toBe('Bearer realm="x"');
  });

  test.each(codes)('%s says when to come again only where coming again may help', (code) => {
    const again = ['thread_busy', 'rate_limited', 'unavailable'].includes(code);
    const expected = again ? expect.stringMatching(/^[1-9]\d*$/) : undefined;
    expect(respondTo(code).headers['Retry-After']).toEqual(expected);
  });

  test.each([
    [0, '0'],
    [0.2, '1'],
    [7, '7'],
    [1.5, '2'],
  ])('passes on %d seconds to wait as the whole number %s', (retryAfterSeconds, header) => {
    expect(respondTo('rate_limited', { retryAfterSeconds }).headers['Retry-After']).toBe(header);
  });

  test.each<[string, unknown]>([
    ['an error of the language', new TypeError('canary')],
    [
      'an error with a status of its own',
      Object.assign(new Error('canary'), { status: 404, code: 'canary' }),
    ],
    [
      'an error that looks like ours',
      Object.assign(new Error('canary'), { code: 'access_denied', options: {} }),
    ],
    ['text', 'canary'],
    ['nothing', undefined],
    ['null', null],
  ])('that is %s is a fault of ours and tells nothing', (_name, error) => {
    const { status, body, headers } = respond(error);
    expect(status).toBe(500);
    expect(body).toEqual({ message: failure, code: 'internal_error', details: requestId });
    expect(JSON.stringify([body, headers])).not.toContain('canary');
  });
});

test('a response is JSON in UTF-8 with the headers it is given', () => {
  expect(jsonResponse(201, { name: 'ü' }, { Location: '/x' })).toEqual({
    status: 201,
    headers: { 'Content-Type': 'application/json; charset=utf-8', Location: '/x' },
    body: '{"name":"ü"}',
  });
});
