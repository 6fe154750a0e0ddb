import { describe, expect, test } from '@jest/globals';
import { question, useService } from '../support/useService.ts';

/* Every call of these tests has to be answered within the 30 seconds that the harness waits at most. */

const t = useService();

describe('nobody waits longer than 30 seconds', () => {
  test('when the engine hangs: a create ends as failed with its key kept, a look and a read answer 503', async () => {
    const [creating, looking, reading] = [await t.openThread(), await t.openThread(), await t.openThread()];
    await t.engine.outcome({ status: 'never' });
    const { body: run } = await t.call(`${looking}/runs`, { method: 'POST', body: question });
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'hang_after' });
    await t.engine.fault({ method: 'GET', path: '/v1/responses/*' }, { kind: 'hang' });
    await t.engine.fault({ method: 'GET', path: '/v1/conversations' }, { kind: 'hang' });
    await t.engine.fault({ method: 'POST', path: '/v1/conversations' }, { kind: 'hang' });

    const headers = { 'Idempotency-Key': 'k' };
    const create = () => t.call(`${creating}/runs`, { method: 'POST', body: question, headers });
    const responses = await Promise.all([
      create(),
      t.call(`${looking}/runs/${run.runId}`),
      t.call(reading),
      t.call(`projects/${t.projectId}/threads`, { method: 'POST' }),
    ]);
    for (const { status, body } of responses) expect([status, body.code]).toEqual([503, 'unavailable']);

    const repeated = await create();
    expect(repeated.headers.get('Idempotency-Replayed')).toBe('true');
    expect((await t.call(`${creating}/runs/${repeated.body.runId}`)).body).toMatchObject({
      status: 'failed',
      errorMessage: expect.stringContaining('unknown'),
    });
    expect((await t.call(`${looking}/runs/${run.runId}`)).body.status).toBe('in_progress');
  }, 60_000);

  test('when the store hangs at any step of a create', async () => {
    const thread = await t.openThread();
    t.store.inject('read', 'hang');
    const reading = await t.call(`${thread}/runs`, { method: 'POST', body: question });
    t.store.inject('transaction', 'hang');
    const claiming = await t.call(`${thread}/runs`, { method: 'POST', body: question });
    t.store.inject('merge', 'hang');
    const recording = await t.call(`${thread}/runs`, { method: 'POST', body: question });
    for (const { status, body } of [reading, claiming, recording]) {
      expect([status, body.code]).toEqual([503, 'unavailable']);
    }
  }, 60_000);
});
