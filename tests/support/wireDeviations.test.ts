import { expect, test } from '@jest/globals';
import { createWireLog, wireDeviations } from './wireDeviations.ts';

const base = 'http://host/api/projects/p/openai/v1';
const thread = { id: 'thread_1', object: 'thread', created_at: 1, metadata: {}, tool_resources: {} };

const respond = (body: unknown, status = 200, type = 'application/json') => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: new Headers({ 'Content-Type': type }), body, text };
};
const { metadata: _, ...unlabelled } = thread;

test.each<[string, string, string, unknown, number, string | undefined]>([
  ['a thread', 'GET', 'threads/t', thread, 200, undefined],
  ['a thread with more', 'GET', 'threads/t', { ...thread, colour: 'red' }, 200, '"colour"'],
  ['a thread with less', 'POST', 'threads', unlabelled, 200, '"metadata"'],
  ['a run that is a thread', 'GET', 'threads/t/runs/r', thread, 200, '/object must be equal to constant'],
  [
    'a list without ends',
    'GET',
    'assistants',
    { object: 'list', data: [], has_more: false },
    200,
    'first_id',
  ],
  ['an error', 'GET', 'x', { error: { message: '', type: '', param: null, code: null } }, 404, undefined],
  ['an error without a code', 'GET', 'x', { error: { message: '', type: '', param: null } }, 404, '"code"'],
  ['another error', 'GET', 'x', { message: '' }, 404, '"error"'],
])('%s is judged by the package’s types', (_name, method, path, body, status, deviation) => {
  const found = wireDeviations(method, `${base}/${path}`, respond(body, status)).join();
  if (deviation === undefined) expect(found).toBe('');
  else expect(found).toContain(deviation);
});

test.each([
  ['thread.created', JSON.stringify(thread), undefined],
  ['thread.created', JSON.stringify(unlabelled), '"metadata"'],
  ['thread.opened', JSON.stringify(thread), '"tagValue":"thread.opened"'],
  ['error', JSON.stringify({ error: 'x' }), '/error must be object'],
  ['done', '[DONE]', undefined],
  ['done', '{}', 'the data of done'],
])('an event %s with %s is judged by the package’s types', (event, data, deviation) => {
  const stream = respond(`event: ${event}\ndata: ${data}\n\n`, 200, 'text/event-stream; charset=utf-8');
  const found = wireDeviations('POST', `${base}/threads/runs`, stream).join();
  if (deviation === undefined) expect(found).toBe('');
  else expect(found).toContain(deviation);
});

test('a deviation fails the tests of a file', () => {
  const log = createWireLog();
  log.add('GET', `${base}/threads/t`, respond(unlabelled));
  expect(() => log.check()).toThrow(/types of the openai package:\n {2}retrieveThread 200: .*"metadata"/);
});
