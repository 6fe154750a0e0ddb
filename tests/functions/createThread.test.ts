import { describe, expect, test } from '@jest/globals';
import { rowsOf } from '../support/table.ts';
import { useService } from '../support/useService.ts';

const t = useService();

describe('createThread', () => {
  test('answers 201 with an empty thread that is there afterwards', async () => {
    const created = await t.call(`projects/${t.projectId}/threads`, { method: 'POST' });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      threadId: expect.stringMatching(/^thread_[a-z0-9]+$/),
      projectId: t.projectId,
      createdAt: expect.stringMatching(/Z$/),
    });
    const location = `/api/projects/${t.projectId}/threads/${created.body.threadId}`;
    expect(created.headers.get('Location')).toBe(location);
    const { status, body } = await t.call(location.replace('/api/', ''));
    expect(status).toBe(200);
    expect(body).toEqual({ ...created.body, activeRunId: null, messages: [], hasMore: false, lastId: null });
  });

  test.each(['{"messages": ["x"]}', '{}', ''])('needs nothing of a body: %j', async (body) => {
    const created = await t.call(`projects/${t.projectId}/threads`, { method: 'POST', body });
    expect([created.status, created.body.run]).toEqual([201, undefined]);
  });

  test.each([
    ['rate limit', { kind: 'status', status: 429, headers: { 'retry-after': '3' } }, 429, 'rate_limited'],
    ['500', { kind: 'status', status: 500 }, 503, 'unavailable'],
    ['404 (a wrong address)', { kind: 'status', status: 404 }, 500, 'internal_error'],
    ['wrong key', { kind: 'status', status: 401 }, 500, 'internal_error'],
    ['dropped connection', { kind: 'drop' }, 503, 'unavailable'],
  ])('the engine answering %s: an error, and no thread', async (_name, fault, status, code) => {
    await t.engine.fault(
      { method: 'POST', path: '/v1/conversations' },
      { code: null, type: 'x', message: 'secret detail', ...fault },
    );
    const rows = (await rowsOf(t.projectId)).length;
    const listed = (await t.call(`projects/${t.projectId}/threads?limit=1`)).body.threads;
    const response = await t.call(`projects/${t.projectId}/threads`, { method: 'POST' });
    expect([response.status, response.body.code]).toEqual([status, code]);
    if (status >= 500) expect(response.body.message).toBe('An error occurred while creating the thread');
    expect(response.text).not.toContain('secret detail');
    const { body } = await t.call(`projects/${t.projectId}/threads?limit=1`);
    expect(body.threads).toEqual(listed);
    expect(await rowsOf(t.projectId)).toHaveLength(rows);
  });

  test('leaves no conversation behind when the store fails', async () => {
    t.store.inject('insert', 'fail', 10);
    const response = await t.call(`projects/${t.projectId}/threads`, { method: 'POST' });
    expect([response.status, response.body.code]).toEqual([503, 'unavailable']);
    expect(await t.engine.calls()).toEqual([
      'POST /v1/conversations',
      expect.stringMatching(/^DELETE \/v1\/conversations\//),
    ]);
  });

  test('a response of the store that is lost does not lose the thread', async () => {
    t.store.inject('insert', 'lose');
    const { status, body } = await t.call(`projects/${t.projectId}/threads`, { method: 'POST' });
    expect(status).toBe(201);
    expect((await t.call(`projects/${t.projectId}/threads/${body.threadId}`)).status).toBe(200);
  });
});
