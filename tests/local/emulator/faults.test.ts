import { describe, expect, test } from '@jest/globals';
import { type Control, model, type Summary, start, until } from '../../support/emulator.ts';

describe('faults', () => {
  const create = { method: 'POST', path: '/v1/responses' };
  const body = { model, input: 'Hi', background: true };
  const runs = async (control: Control) => (await control<Summary[]>('GET', 'responses')).length;

  test('status answers with it and does nothing', async () => {
    const { client, control } = await start();
    const fault = {
      kind: 'status',
      status: 429,
      code: 'rate_limit_exceeded',
      headers: { 'retry-after': '7' },
    };
    await control('POST', 'faults', { match: create, fault });
    const error = await client.responses.create(body).catch((caught) => caught);
    expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect(error.headers.get('retry-after')).toBe('7');
    expect(await runs(control)).toBe(0);
    await client.responses.create(body);
    expect(await runs(control)).toBe(1);
  });

  test.each([
    ['hang', /^Connection error|timed out/, 0],
    ['hang_after', /^Connection error|timed out/, 1],
    ['drop', /^Connection error|timed out/, 0],
    ['drop_after', /^Connection error|timed out/, 1],
    ['garbage', /is not valid JSON/, 0],
  ])('%s leaves the client without a response', async (kind, message, started) => {
    const { client, control } = await start();
    await control('POST', 'faults', { match: create, fault: { kind } });
    await expect(client.responses.create(body, { timeout: 500 })).rejects.toThrow(message);
    expect(await runs(control)).toBe(started);
  });

  test('hang_after leaves the conversation locked by what was started', async () => {
    const { client, control } = await start({ runMs: 60_000 });
    await control('POST', 'faults', { match: create, fault: { kind: 'hang_after' } });
    const { id: conversation } = await client.conversations.create();
    await expect(client.responses.create({ ...body, conversation }, { timeout: 500 })).rejects.toThrow();
    await expect(client.responses.create({ ...body, conversation })).rejects.toMatchObject({
      code: 'conversation_locked',
    });
  });

  test('delay answers normally, later', async () => {
    const { client, control } = await start();
    await control('POST', 'faults', { match: create, fault: { kind: 'delay', ms: 300 } });
    await expect(client.responses.create(body, { timeout: 50 })).rejects.toThrow();
    expect((await client.responses.create(body)).status).toBe('queued');
    await until(async () => (await runs(control)) === 2);
  });

  test('hit only the requests that match, as often as ordered', async () => {
    const { client, control } = await start();
    const fault = { kind: 'status', status: 500 };
    const { id } = await client.responses.create(body);
    await control('POST', 'faults', { match: { method: 'GET', path: '/v1/responses/*' }, times: 2, fault });
    await client.responses.create(body);
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 500 });
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 500 });
    await client.responses.retrieve(id);
    await control('POST', 'faults', { match: { ...create, exact: true }, times: null, fault });
    // Below the path, and so not hit; the emulator itself refuses it.
    await expect(client.responses.cancel(id)).rejects.toMatchObject({ status: 400 });
    await expect(client.responses.create(body)).rejects.toMatchObject({ status: 500 });
    await expect(client.responses.create(body)).rejects.toMatchObject({ status: 500 });
    await control('DELETE', 'faults');
    await client.responses.create(body);
  });

  test('of an unknown kind are refused', async () => {
    const { control } = await start();
    await expect(control('POST', 'faults', { fault: { kind: 'fire' } })).rejects.toThrow('400');
    await expect(control('POST', 'outcomes', { outcome: { status: 'happy' } })).rejects.toThrow('400');
  });
});
