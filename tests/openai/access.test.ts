import { beforeAll, describe, expect, test } from '@jest/globals';
import { checkedFetch } from '../support/assistantsApi.ts';
import { rowsOf } from '../support/table.ts';
import { useService } from '../support/useService.ts';

const t = useService();

/** Every operation, with a body that would succeed. */
const operations: [operation: string, method: string, path: string, body?: object][] = [
  ['listAssistants', 'GET', 'assistants'],
  ['createAssistant', 'POST', 'assistants', { model: 'gpt-5-mini' }],
  ['retrieveAssistant', 'GET', 'assistants/A'],
  ['updateAssistant', 'POST', 'assistants/A', { name: 'Mine' }],
  ['deleteAssistant', 'DELETE', 'assistants/A'],
  ['createThread', 'POST', 'threads', {}],
  ['createThreadAndRun', 'POST', 'threads/runs', {}],
  ['retrieveThread', 'GET', 'threads/T'],
  ['updateThread', 'POST', 'threads/T', { metadata: { mine: 'yes' } }],
  ['deleteThread', 'DELETE', 'threads/T'],
  ['createMessage', 'POST', 'threads/T/messages', { role: 'user', content: 'Hello' }],
  ['listMessages', 'GET', 'threads/T/messages'],
  ['retrieveMessage', 'GET', 'threads/T/messages/M'],
  ['updateMessage', 'POST', 'threads/T/messages/M', { metadata: { mine: 'yes' } }],
  ['deleteMessage', 'DELETE', 'threads/T/messages/M'],
  ['createRun', 'POST', 'threads/T/runs', {}],
  ['listRuns', 'GET', 'threads/T/runs'],
  ['retrieveRun', 'GET', 'threads/T/runs/R'],
  ['updateRun', 'POST', 'threads/T/runs/R', { metadata: { mine: 'yes' } }],
  ['listSteps', 'GET', 'threads/T/runs/R/steps'],
  ['retrieveStep', 'GET', 'threads/T/runs/R/steps/S'],
  ['submitToolOutputs', 'POST', 'threads/T/runs/R/submit_tool_outputs', { tool_outputs: [] }],
  ['cancelRun', 'POST', 'threads/T/runs/R/cancel'],
];

/** Ids of project B, by the letters in the paths. */
const idsOfB: Record<string, string> = {};
let projectA: string;
let projectB: string;
let ownThread: string;

const send = async (path: string, headers: Record<string, string>, method = 'GET', body?: object) => {
  const response = await checkedFetch(`${t.url}/api/projects/${path}`, {
    method,
    headers: { ...headers, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, error: text === '' ? undefined : JSON.parse(text).error };
};

beforeAll(async () => {
  projectA = (await t.addProject({ editors: ['alice'] })).projectId;
  projectB = (await t.addProject({ editors: ['bob'] })).projectId;
  const bob = { Authorization: `Bearer ${await t.issuer.sign({ sub: 'bob', projects: [projectB] })}` };
  const base = `${projectB}/openai/v1`;
  const create = async (path: string, body: object) =>
    JSON.parse((await send(`${base}/${path}`, bob, 'POST', body)).text).id as string;
  idsOfB['A'] = await create('assistants', { model: 'gpt-5-mini', name: 'canary of B' });
  idsOfB['T'] = await create('threads', { metadata: { canary: 'B' } });
  idsOfB['M'] = await create(`threads/${idsOfB['T']}/messages`, { role: 'user', content: 'canary of B' });
  idsOfB['R'] = await create(`threads/${idsOfB['T']}/runs`, {});
  const alice = { Authorization: `Bearer ${await t.issuer.sign({ projects: [projectA] })}` };
  ownThread = JSON.parse((await send(`${projectA}/openai/v1/threads`, alice, 'POST', {})).text).id;
});

const fill = (path: string, ids: Readonly<Record<string, string>>) =>
  path.replace(/\b[ATMR]\b/g, (letter) => ids[letter] ?? letter);

describe.each(['openai/v1', 'openai'])('below %s', (base) => {
  describe.each(operations)('%s', (_operation, method, path, body) => {
    const target = () => fill(path, idsOfB);

    test.each<[string, (sign: (claims: object) => Promise<string>) => Promise<Record<string, string>>]>([
      ['no token', async () => ({})],
      ['a token that is none', async () => ({ Authorization: 'Bearer a.b.c' })],
      ['a key that is none', async () => ({ 'api-key': 'a.b.c' })],
      ['an expired token', async (sign) => ({ Authorization: `Bearer ${await sign({ exp: 1 })}` })],
      ['another audience', async (sign) => ({ 'api-key': await sign({ aud: 'others' }) })],
      [
        'a bad token and a good key',
        async (sign) => ({ Authorization: 'Bearer x', 'api-key': await sign({}) }),
      ],
    ])('refuses %s with 401, and reads nothing', async (_name, headersOf) => {
      const sign = (claims: object) => t.issuer.sign({ sub: 'bob', projects: [projectB], ...claims });
      const response = await send(`${projectB}/${base}/${target()}`, await headersOf(sign), method, body);
      expect(response.status).toBe(401);
      expect(response.error.type).toBe('invalid_request_error');
      expect(t.store.roundTrips).toEqual([]);
      expect(await t.engine.calls()).toEqual([]);
    });

    test.each(['Authorization', 'api-key'])('refuses a caller of another project (%s)', async (header) => {
      const token = await t.issuer.sign({ sub: 'alice', projects: [projectA] });
      const headers = { [header]: header === 'Authorization' ? `Bearer ${token}` : token };
      const response = await send(`${projectB}/${base}/${target()}`, headers, method, body);
      expect([response.status, response.error.code]).toEqual([403, 'access_denied']);
      expect(await t.engine.calls()).toEqual([]);
    });

    if (/[ATMR]\b/.test(path)) {
      test('does not find what is another project’s', async () => {
        const before = await rowsOf(projectB);
        const token = await t.issuer.sign({ sub: 'alice', projects: [projectA] });
        const headers = { Authorization: `Bearer ${token}` };
        const belowOwnThread = /[MR]\b/.test(path) ? [{ ...idsOfB, T: ownThread }] : [];
        for (const ids of [idsOfB, ...belowOwnThread]) {
          const response = await send(`${projectA}/${base}/${fill(path, ids)}`, headers, method, body);
          expect(response.status).toBe(404);
          expect(response.text).not.toContain('canary');
        }
        expect(await rowsOf(projectB)).toEqual(before);
        expect(await t.engine.calls()).toEqual([]);
      });
    }
  });
});

test('an id in another spelling, or with an encoded slash, is not found', async () => {
  const token = await t.issuer.sign({ projects: [projectA] });
  const headers = { Authorization: `Bearer ${token}` };
  const climb = encodeURIComponent(`../../../${projectB}/openai/v1/threads/${idsOfB['T']}`);
  expect((await send(`${projectA}/openai/v1/threads/${climb}`, headers)).status).toBe(404);
  expect((await send(`${projectA}/openai/v1/threads/${ownThread.toUpperCase()}`, headers)).status).toBe(404);
  expect((await send(`${encodeURIComponent(`${projectA}/x`)}/openai/v1/threads`, headers)).status).toBe(403);
});
