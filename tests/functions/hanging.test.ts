import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startService, type TestService } from '../support/service.ts';

/* Every call of these tests has to be answered within the 30 seconds that the harness waits at most. */

let service: TestService;
let projectId: string;

beforeAll(async () => {
  service = await startService();
  ({ projectId } = await service.addProject());
});
afterAll(() => service.close());

const question = { message: 'Explain the database schema' };

describe('nobody waits longer than 30 seconds', () => {
  test('when the engine hangs: a create ends as failed with its key kept, a look and a read answer 503', async () => {
    const [creating, looking, reading] = [
      await service.openThread(projectId),
      await service.openThread(projectId),
      await service.openThread(projectId),
    ];
    await service.engine.outcome({ status: 'never' });
    const { body: run } = await service.call(`${looking}/runs`, { method: 'POST', body: question });
    await service.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'hang_after' });
    await service.engine.fault({ method: 'GET', path: '/v1/responses/*' }, { kind: 'hang' });
    await service.engine.fault({ method: 'GET', path: '/v1/conversations' }, { kind: 'hang' });
    await service.engine.fault({ method: 'POST', path: '/v1/conversations' }, { kind: 'hang' });

    const headers = { 'Idempotency-Key': 'k' };
    const create = () => service.call(`${creating}/runs`, { method: 'POST', body: question, headers });
    const answers = await Promise.all([
      create(),
      service.call(`${looking}/runs/${run.runId}`),
      service.call(reading),
      service.call(`projects/${projectId}/threads`, { method: 'POST' }),
    ]);
    for (const { status, body } of answers) expect([status, body.code]).toEqual([503, 'unavailable']);

    const repeated = await create();
    expect(repeated.headers.get('Idempotency-Replayed')).toBe('true');
    expect((await service.call(`${creating}/runs/${repeated.body.runId}`)).body).toMatchObject({
      status: 'failed',
      errorMessage: expect.stringContaining('unknown'),
    });
    expect((await service.call(`${looking}/runs/${run.runId}`)).body.status).toBe('in_progress');
  }, 60_000);

  test('when the store hangs at any step of a create', async () => {
    const thread = await service.openThread(projectId);
    service.store.inject('read', 'hang');
    const reading = await service.call(`${thread}/runs`, { method: 'POST', body: question });
    service.store.inject('transaction', 'hang');
    const claiming = await service.call(`${thread}/runs`, { method: 'POST', body: question });
    service.store.inject('merge', 'hang');
    const recording = await service.call(`${thread}/runs`, { method: 'POST', body: question });
    for (const { status, body } of [reading, claiming, recording]) {
      expect([status, body.code]).toEqual([503, 'unavailable']);
    }
  }, 60_000);
});
