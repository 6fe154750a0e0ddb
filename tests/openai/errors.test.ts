import { beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { type Client, checkedFetch, failureOf, openClient } from '../support/assistantsApi.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let client: Client;
beforeAll(async () => {
  client = await openClient(t);
});

const assistant_id = 'asst_test';

/** A run that does not end by itself. */
async function startBusyThread() {
  await t.engine.outcome({ status: 'never' });
  const thread = await client.beta.threads.create();
  const run = await client.beta.threads.runs.create(thread.id, { assistant_id });
  return { threadId: thread.id, runId: run.id };
}

describe('the package raises its own class for', () => {
  test('a key that does not verify', async () => {
    const stranger = client.withOptions({ apiKey: 'sk-secret-canary' });
    const error = await failureOf(stranger.beta.threads.create());
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'invalid_request_error' });
    expect(JSON.stringify(error)).not.toContain('canary');
    expect(t.log()).not.toContain('canary');
  });

  test('an expired key', async () => {
    const expired = await openClient(t, { claims: { projects: [t.projectId], exp: 1 } });
    const error = await failureOf(expired.beta.threads.create());
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error.code).toBe('token_expired');
  });

  test('a project of somebody else', async () => {
    const stranger = await openClient(t, { claims: { projects: [] } });
    const error = await failureOf(stranger.beta.threads.create());
    expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
    expect(error).toMatchObject({ status: 403, code: 'access_denied' });
  });

  test.each(['thread_none', 'thread-', 'x'])('the unknown thread %s', async (id) => {
    const error = await failureOf(client.beta.threads.retrieve(id));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error.error).toEqual({
      message: `No thread found with id '${id}'.`,
      type: 'invalid_request_error',
      param: null,
      code: null,
    });
    const reading = client.beta.threads.messages.list(id);
    expect((await failureOf(reading)).message).toBe(`404 No thread found with id '${id}'.`);
  });

  test('an unknown run, message and assistant', async () => {
    const { id: thread_id } = await client.beta.threads.create();
    const run = await failureOf(client.beta.threads.runs.retrieve('run_none', { thread_id }));
    expect(run.message).toBe("404 No run found with id 'run_none'.");
    const message = await failureOf(client.beta.threads.messages.retrieve('msg_none', { thread_id }));
    expect(message.message).toBe("404 No message found with id 'msg_none'.");
    const assistant = await failureOf(client.beta.assistants.retrieve('asst_second'));
    expect(assistant.message).toBe("404 No assistant found with id 'asst_second'.");
    const started = await failureOf(
      client.beta.threads.runs.create(thread_id, { assistant_id: 'asst_second' }),
    );
    expect(started).toBeInstanceOf(OpenAI.NotFoundError);
    expect(started.param).toBe('assistant_id');
    expect(await t.engine.runs()).toEqual(
      expect.not.arrayContaining([expect.objectContaining({ metadata: { threadId: thread_id } })]),
    );
  });

  test('a thread with an active run, with the sentences of the original', async () => {
    const { threadId, runId } = await startBusyThread();
    const second = await failureOf(client.beta.threads.runs.create(threadId, { assistant_id }));
    expect(second).toBeInstanceOf(OpenAI.BadRequestError);
    expect(second.message).toBe(`400 Thread ${threadId} already has an active run ${runId}.`);
    expect(second.headers?.get('retry-after')).toBe('2');
    const message = { role: 'user', content: 'Hello' } as const;
    const added = await failureOf(client.beta.threads.messages.create(threadId, message));
    expect(added).toBeInstanceOf(OpenAI.BadRequestError);
    expect(added.message).toBe(`400 Can't add messages to ${threadId} while a run ${runId} is active.`);
    expect((await client.beta.threads.messages.list(threadId)).data).toEqual([]);
  });

  test('a run that has ended and is cancelled', async () => {
    const run = await client.beta.threads.createAndRunPoll(
      { assistant_id, thread: { messages: [{ role: 'user', content: 'Hello' }] } },
      { pollIntervalMs: 25 },
    );
    const error = await failureOf(client.beta.threads.runs.cancel(run.id, { thread_id: run.thread_id }));
    expect(error.message).toBe("400 Cannot cancel run with status 'completed'.");
  });

  test('the engine’s rate limit', async () => {
    const { id } = await client.beta.threads.create();
    const limit = { method: 'POST', path: '/v1/responses', exact: true };
    const headers = {
      'retry-after-ms': '6500',
      'x-ratelimit-limit-tokens': '30000',
      'x-request-id': 'req_x',
    };
    await t.engine.fault(limit, { kind: 'status', status: 429, headers });
    const error = await failureOf(client.beta.threads.runs.create(id, { assistant_id }));
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'requests' });
    expect(error.headers?.get('retry-after')).toBe('7');
    expect(error.headers?.get('retry-after-ms')).toBe('6500');
    // The engine's other headers tell about the load of other projects.
    const limits = [...(error.headers ?? [])].filter(([name]) => name.startsWith('x-ratelimit'));
    expect(limits).toEqual([
      ['x-ratelimit-remaining-requests', '0'],
      ['x-ratelimit-reset-requests', '7s'],
    ]);
  });

  test('an engine that fails', async () => {
    await t.engine.fault(
      { method: 'POST', path: '/v1/conversations', exact: true },
      { kind: 'status', status: 500 },
    );
    const error = await failureOf(client.beta.threads.create());
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 503, type: 'server_error', code: 'unavailable' });
  });
});

const files =
  "Lists of files are of version 1 of the API: use 'tool_resources' of assistants and 'attachments' of messages.";

describe('a request that is refused', () => {
  const send = async (path: string, method = 'POST', body?: string) => {
    const response = await checkedFetch(`${t.url}/api/projects/${t.projectId}/openai/${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${await t.issuer.sign({ projects: [t.projectId] })}`,
        'Content-Type': 'application/json',
      },
      ...(body !== undefined && { body }),
    });
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    return { status: response.status, error };
  };

  test.each([
    ['GET', 'v1/embeddings', 404, 'Invalid URL (GET /v1/embeddings)', null],
    ['GET', 'v1/threads', 405, 'Not allowed to GET on /v1/threads.', null],
    ['POST', 'v1/chat/completions', 404, 'Invalid URL (POST /v1/chat/completions)', null],
    ['GET', '', 404, 'Invalid URL (GET /v1/)', null],
    [
      'GET',
      'v1/assistants/asst_1/files',
      404,
      `Invalid URL (GET /v1/assistants/asst_1/files). ${files}`,
      null,
    ],
    [
      ...['GET', 'v1/threads/thread_1/messages/msg_1/files/file-1', 404],
      ...[`Invalid URL (GET /v1/threads/thread_1/messages/msg_1/files/file-1). ${files}`, null],
    ],
  ] as [string, string, number, string, null][])(
    '%s %s has status %d',
    async (method, path, status, message, param) => {
      const { error, ...response } = await send(path, method);
      expect([response.status, error.message, error.param]).toEqual([status, message, param]);
    },
  );

  test.each([
    ['{', 'We could not parse the JSON body of your request.', null, null],
    ['[]', "Invalid type for 'body': expected an object, but got an array instead.", 'body', 'invalid_type'],
    ['{"colour":1}', "Unknown parameter: 'colour'.", 'colour', 'unknown_parameter'],
    ['{"__proto__":{"messages":[]}}', "Unknown parameter: '__proto__'.", '__proto__', 'unknown_parameter'],
    [
      '{"messages":[{"content":"x"}]}',
      "Missing required parameter: 'messages[0].role'.",
      'messages[0].role',
      'missing_required_parameter',
    ],
    [
      '{"messages":[{"role":"system","content":"x"}]}',
      "Invalid value for 'messages[0].role'. Supported values are: 'user', 'assistant'.",
      'messages[0].role',
      'invalid_value',
    ],
    [
      '{"messages":[{"role":"user","content":7}]}',
      "Invalid type for 'messages[0].content': expected an array, but got an integer instead.",
      'messages[0].content',
      'invalid_type',
    ],
    [
      '{"messages":[{"role":"user","content":"\\ud800"}]}',
      "Invalid 'messages[0].content': the text must be well-formed Unicode.",
      'messages[0].content',
      'invalid_value',
    ],
    [
      '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc"}}]}]}',
      "Invalid 'messages[0].content[0].image_url.url': expected an http, https or data URL.",
      'messages[0].content[0].image_url.url',
      'invalid_value',
    ],
    [
      '{"messages":[{"role":"assistant","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}',
      "Invalid 'messages[0].content[0]': a message of the assistant has text only.",
      'messages[0].content[0]',
      'invalid_value',
    ],
    [
      `{"metadata":{"a":"${'x'.repeat(513)}"}}`,
      "Invalid 'metadata': string too long. Expected a string with maximum length 512.",
      'metadata',
      'string_above_max_length',
    ],
    [
      '{"metadata":{"":"x"}}',
      "Invalid 'metadata': string too short. Expected a string with minimum length 1.",
      'metadata',
      'string_below_min_length',
    ],
    [
      JSON.stringify({
        metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, ''])),
      }),
      "Invalid 'metadata': too many properties. Expected an object with at most 16 properties.",
      'metadata',
      'object_above_max_properties',
    ],
    [
      '{"metadata":{"a":7}}',
      "Invalid type for 'metadata': expected strings as values, but got an integer instead.",
      'metadata',
      'invalid_type',
    ],
    [
      '{"messages":[{"role":"user","content":"x","file_ids":["file-1"]}]}',
      "The parameter 'messages[0].file_ids' is of version 1 of the API: use 'attachments'.",
      'messages[0].file_ids',
      'unsupported_parameter',
    ],
    [
      '{"tool_resources":{"file_search":{"vector_store_ids":["a","b"]}}}',
      "Invalid 'tool_resources.file_search.vector_store_ids': expected an array of 0 to 1 items, but got 2.",
      'tool_resources.file_search.vector_store_ids',
      'array_above_max_length',
    ],
  ])('because of its body %s names the parameter', async (body, message, param, code) => {
    expect(await send('v1/threads', 'POST', body)).toEqual({
      status: 400,
      error: { message, param, code, type: 'invalid_request_error' },
    });
    expect(await t.engine.calls()).toEqual([]);
  });

  test.each([
    ['limit=0', 'limit'],
    ['limit=x', 'limit'],
    ['order=up', 'order'],
    ['after=msg_x', 'after'],
    ['colour=red', 'colour'],
    ['after=a&before=b', 'before'],
  ])('because of its query %s names the parameter', async (query, param) => {
    const { id } = await client.beta.threads.create();
    const { status, error } = await send(`v1/threads/${id}/messages?${query}`, 'GET');
    expect([status, error.param]).toEqual([400, param]);
  });

  test('because of its size has status 413', async () => {
    const large = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(2 * 1024 * 1024) }] });
    expect((await send('v1/threads', 'POST', large)).status).toBe(413);
  });

  test.each(['?Headers={"a b":"c"}', '?path=assistants', '?projectId=another'])(
    'or served is not changed by data of the host in the query %s',
    async (query) => {
      const { status, error } = await send(`v1/assistants/asst_test${query}`, 'GET');
      expect([status, error?.code]).toEqual([400, 'unknown_parameter']);
    },
  );

  test.each(['{"Headers":{"a b":"c"}}', '{"path":"assistants"}', '{"projectId":"another"}'])(
    'or served is not changed by data of the host in the body %s',
    async (body) => {
      expect((await send('v1/threads', 'POST', body)).status).toBe(400);
    },
  );
});
