import { expect, test } from '@jest/globals';
import document from '../../openapi.json' with { type: 'json' };
import { createDeviationLog } from './openApi.ts';
import type { TestResponse } from './service.ts';

const headers = new Headers({
  'Content-Type': 'application/json',
  'X-Request-Id': crypto.randomUUID(),
  'Access-Control-Expose-Headers': document.components.headers['Access-Control-Expose-Headers'].schema.const,
});

const list = (...threads: object[]): TestResponse => {
  const body = { threads, hasMore: false, lastId: null };
  return { status: 200, headers, body, text: JSON.stringify(body) };
};

const thread = { threadId: 'thread_1', projectId: 'p', createdAt: '2026-11-25T10:00:00.000Z' };

test('a deviation is reported once, with how often it occurred, and hides no other', () => {
  const log = createDeviationLog();
  const extra = { ...thread, extra: 1 };
  log.add('GET', 'projects/p/threads', list(extra, extra));
  log.add('GET', 'projects/p/threads?limit=1', list(extra));
  log.add('GET', 'projects/p/threads', list({ ...thread, threadId: 7 }));
  const lines = (() => {
    try {
      log.check();
    } catch (error) {
      return (error as Error).message.split('\n').slice(1);
    }
    return [];
  })();
  expect(lines).toEqual([
    expect.stringMatching(/listThreads 200: .*"extra".* \(2 times, first: GET projects\/p\/threads\)$/),
    expect.stringMatching(/listThreads 200: .*\/threads\/\*\/threadId .* \(1 times, first: GET .*\)$/),
  ]);
});

test('responses as described leave nothing to report', () => {
  const log = createDeviationLog();
  log.add('GET', 'projects/p/threads', list(thread));
  expect(() => log.check()).not.toThrow();
});
