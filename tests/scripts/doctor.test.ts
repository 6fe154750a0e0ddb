import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort, startAzurite } from '../../local/azurite.ts';
import { openFollowUpQueue } from '../../shared/storage/followUpQueue.ts';
import { createProjectStore, type ProjectStore } from '../../shared/storage/projectStore.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { runCommand } from '../support/process.ts';
import { runScript } from '../support/runScript.ts';
import { useService } from '../support/useService.ts';

const t = useService();

/** A store of its own: in the one that all test files share, any project may be wrong. */
let tablePort: number;
let azurite: Awaited<ReturnType<typeof startAzurite>>;
let projects: ProjectStore;
beforeAll(async () => {
  tablePort = await freePort();
  azurite = await startAzurite({ ports: { table: tablePort, queue: await freePort() } });
  const { connectionString } = azurite;
  const [table] = await Promise.all([
    openTable({ connectionString }, 'projects'),
    openTable({ connectionString }, 'threads').then((threads) => threads.createTable()),
    openFollowUpQueue({ connectionString }).then((queue) => queue.create()),
  ]);
  await table.createTable();
  projects = createProjectStore(async () => table);
}, 60_000);
afterAll(() => azurite.close());

const project = { projectId: 'atlas', name: 'Atlas', assistantId: 'asst_test', members: [], groups: [] };

const key = 'canary-key-of-the-engine';

const settingsWith = (settings: Record<string, string>) => ({
  ...t.settings,
  TABLES_CONNECTION_STRING: azurite.connectionString,
  QUEUES_CONNECTION_STRING: azurite.connectionString,
  OPENAI_API_KEY: key,
  // A file of whoever works here must not matter.
  LOCAL_SETTINGS_FILE: '/nosuch/local.settings.json',
  LOCAL_DATA_DIR: '/nosuch',
  ...settings,
});

/** Runs the command with the service's settings, but for those given. */
const doctor = (settings: Record<string, string> = {}, ...args: string[]) =>
  runScript('scripts/doctor.ts', args, settingsWith(settings));

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** Starts a server in the place of a dependency. @returns its address. */
async function standIn(respond: RequestListener): Promise<string> {
  const server = createServer(respond).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (status: number, body: object): RequestListener => {
  return (_request, response) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
};

/** The lines of failed checks, each with its advice. */
const failures = (stdout: string) => stdout.match(/^FAILED .*(\n {8}.*)?$/gm) ?? [];

describe('npm run doctor', () => {
  test('tries issuer, storage and engine one by one, and leaves nothing behind', async () => {
    const created = await fetch(`${t.engine.url}/vector_stores`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: 'Bearer key' },
      body: '{"name":"A project\'s own"}',
    });
    const { id } = (await created.json()) as { id: string };
    await projects.put({ ...project, vectorStoreIds: [id] });
    const { code, stdout, stderr } = await runCommand(
      process.execPath,
      ['scripts/doctor.ts'],
      settingsWith({}),
    );
    await projects.remove(project.projectId);
    expect([failures(stdout), stderr, code]).toEqual([[], '', 0]);
    for (const asked of [
      'GET /.well-known/openid-configuration',
      'GET the key set',
      'table "projects": read',
      'table "threads": write, read and delete',
      'queue "runs": send a message and delete it',
      'POST /conversations: create a conversation',
      'POST /responses: start a response in the background',
      'GET /responses/{id}?stream=true: take the stream up again',
      'GET /responses/{id}: find the completed response',
      'GET /conversations/{id}/items: list',
      'model "gpt-5-nano" of asst_second: reply',
      'file_search in vs_demo: reply with it (asst_test)',
      `file_search in ${id}: reply with it (asst_test)`,
      'POST /responses/{id}/cancel: cancel',
      'DELETE /conversations/{id}: delete',
    ]) {
      expect(stdout).toContain(`ok      ${asked}`);
    }
    const calls = await t.engine.calls();
    const count = (pattern: RegExp) => calls.filter((call) => pattern.test(call)).length;
    expect(count(/^POST \/v1\/conversations$/)).toBe(1);
    expect(count(/^DELETE \/v1\/conversations\/\S+$/)).toBe(1);
    expect(stdout).not.toContain(key);
  });

  test('names a vector store that the engine does not have', async () => {
    await projects.put({ ...project, vectorStoreIds: ['vs_gone'] });
    const { code, stdout } = await doctor();
    await projects.remove(project.projectId);
    const [failure = '', ...others] = failures(stdout);
    expect([code, others]).toEqual([1, []]);
    expect(failure).toContain('file_search in vs_gone');
    expect(failure).toContain('Check the `vectorStoreIds` of the assistant and of the project');
  });

  test('warns of vector stores that searches leave out, documents included', async () => {
    const add = async (projectId: string, vectorStoreIds: string[], documents: string[]) => {
      await projects.put({ ...project, projectId, vectorStoreIds });
      for (const id of documents) await projects.addDocumentStore(projectId, id);
    };
    // The assistant has one of its own.
    await add('fitting', [], ['vs_documents']);
    await add('displaced', ['vs_demo2'], ['vs_documents']);
    await add('crowded', ['vs_demo2', 'vs_demo3', 'vs_demo'], []);
    const { stdout } = await doctor({ OPENAI_BASE_URL: await standIn(json(401, {})) });
    for (const projectId of ['fitting', 'displaced', 'crowded']) await projects.remove(projectId);
    const [warning, ...others] = stdout.match(/^WARNING .*(\n {8}.*)?$/gm) ?? [];
    expect(others).toEqual([]);
    expect(warning).toContain('leave out: 1 of crowded, 1 of displaced\n');
    expect(warning).toContain('A search covers two');
    expect(stdout).toContain(' 1 failed.');
  });

  test('names projects whose assistant is not configured', async () => {
    await projects.put({ ...project, projectId: 'lost', assistantId: 'asst_gone' });
    const { code, stdout } = await doctor();
    await projects.remove('lost');
    expect([code, failures(stdout)]).toEqual([
      1,
      [expect.stringContaining('not in ASSISTANTS: lost has asst_gone')],
    ]);
  });

  test('names missing settings, and explains its use', async () => {
    const unset = await doctor({ JWT_AUDIENCE: '', ASSISTANTS: '' });
    expect([unset.code, unset.stdout]).toEqual([1, '']);
    expect(unset.stderr).toContain('JWT_AUDIENCE is missing');
    expect(unset.stderr).toContain('ASSISTANTS is missing');
    const misused = await doctor({}, '--timeout', 'soon');
    expect([misused.code, misused.stderr]).toEqual([1, expect.stringContaining('--timeout SECONDS')]);
  });
});

describe('npm run doctor, at an engine that', () => {
  const html: RequestListener = (_request, response) =>
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>A portal</p>');
  const wrongKey = json(401, { error: { message: `Incorrect API key: ${key}`, code: 'invalid_api_key' } });

  test.each<[string, () => Promise<string>, string, string]>([
    ['refuses the key', () => standIn(wrongKey), 'answered 401 invalid_api_key', 'Check OPENAI_API_KEY'],
    [
      'has no such path',
      async () => t.engine.url.replace('/v1', ''),
      'answered 404 "Invalid URL (POST /conversations)"',
      'usually ends with /v1',
    ],
    ['is a web page', () => standIn(html), 'perhaps with a web page', 'not of a portal'],
    [
      'does not listen',
      async () => `http://127.0.0.1:${await freePort()}/v1`,
      'cannot be reached (ECONNREFUSED)',
      'Check host and port of OPENAI_BASE_URL',
    ],
    ['hangs', () => standIn(() => undefined), 'did not answer in time', 'a firewall or a proxy'],
    ['fails', () => standIn(json(500, {})), 'answered 500', "Check the engine's own log"],
  ])('%s: says which address, what it answered and what to check', async (_name, address, said, advice) => {
    const url = await address();
    const { code, stdout, stderr } = await doctor({ OPENAI_BASE_URL: url }, '--timeout', '1');
    expect(code).toBe(1);
    const [failure = '', ...others] = failures(stdout);
    expect(others).toEqual([]);
    expect(failure).toContain(`The engine at ${url} `);
    expect(failure).toContain(said);
    expect(failure).toContain(advice);
    expect(stdout.match(/not tried, without a conversation/g)).toHaveLength(6);
    expect(stdout + stderr).not.toContain(key);
  });

  const create = { method: 'POST', path: '/v1/responses', exact: true };
  const refuse = (message: string, status: number, code: string | null) => () =>
    t.engine.fault(create, { kind: 'status', status, code, message }, null);

  test.each<[string, () => Promise<void>, string[]]>([
    [
      'lacks the Conversations API',
      () =>
        t.engine.fault({ method: 'POST', path: '/v1/conversations' }, { kind: 'status', status: 404 }, null),
      ['POST /conversations: create', 'Check whether the engine has this API at all'],
    ],
    [
      'lacks the model',
      refuse('The model `gpt-5-mini` does not exist', 404, 'model_not_found'),
      ['POST /responses: start', 'answered 404 model_not_found', 'Check the `model` of the assistant'],
    ],
    [
      'does not know a parameter',
      refuse("Unknown parameter: 'background'.", 400, 'unknown_parameter'),
      ['POST /responses: start', 'answered 400 unknown_parameter "Unknown parameter: \'background\'"'],
    ],
    [
      'cannot take up a stream',
      () => t.engine.refuseResume(404, null),
      ['GET /responses/{id}?stream=true', 'the engine answered 404', 'supports background mode'],
    ],
    [
      'cannot cancel',
      () => t.engine.refuseCancel(404, null),
      ['POST /responses/{id}/cancel', 'Check whether the engine'],
    ],
    [
      'fails the response',
      () => t.engine.outcome({ status: 'failed', code: 'server_error', message: 'x' }),
      ['GET /responses/{id}: find', 'the response is failed: server_error'],
    ],
  ])('%s: names the check that failed, and deletes its conversation', async (_name, spoil, parts) => {
    await spoil();
    const { code, stdout } = await doctor();
    expect(code).toBe(1);
    const [failure = ''] = failures(stdout);
    for (const part of parts) expect(failure).toContain(part);
    const calls = await t.engine.calls();
    const opened = calls.filter((call) => call === 'POST /v1/conversations').length;
    const removed = calls.filter((call) => call.startsWith('DELETE /v1/conversations/')).length;
    expect(removed).toBe(stdout.includes('without a conversation') ? 0 : opened);
  });
});

describe('npm run doctor, where', () => {
  const account = (part: string, port: number) =>
    `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=c2VjcmV0;${part}Endpoint=http://127.0.0.1:${port}/devstoreaccount1`;

  test.each<[string, () => Promise<Record<string, string>>, string[]]>([
    [
      'the issuer is away',
      async () => ({ JWT_ISSUER: `http://127.0.0.1:${await freePort()}` }),
      ['cannot be reached (ECONNREFUSED)', 'Check JWT_ISSUER'],
    ],
    [
      'the issuer has another name',
      async () => ({
        JWT_ISSUER: await standIn(json(200, { issuer: 'https://other.example', jwks_uri: 'x' })),
      }),
      ['names another issuer: "https://other.example"', "the tokens' `iss`"],
    ],
    [
      'the key set is none',
      async () => ({ JWT_JWKS_URI: await standIn(json(200, { keys: [] })) }),
      ['it holds no RSA, EC or OKP key'],
    ],
    [
      'the tables are away',
      async () => ({ TABLES_CONNECTION_STRING: account('Table', await freePort()) }),
      ['Table storage at http://127.0.0.1', 'ECONNREFUSED', 'Check the address in TABLES_CONNECTION_STRING'],
    ],
    [
      "the tables' key is wrong",
      async () => ({ TABLES_CONNECTION_STRING: account('Table', tablePort) }),
      ['answered 403', "Check the account's key in TABLES_CONNECTION_STRING"],
    ],
    [
      'the queue is away',
      async () => ({ QUEUES_CONNECTION_STRING: account('Queue', await freePort()) }),
      ['Queue storage at http://127.0.0.1', 'Check the address in QUEUES_CONNECTION_STRING'],
    ],
  ])('%s: says so, without a secret', async (_name, choose, parts) => {
    const { code, stdout, stderr } = await doctor(await choose());
    expect(code).toBe(1);
    const [failure = ''] = failures(stdout);
    for (const part of parts) expect(failure).toContain(part);
    expect(stdout + stderr).not.toMatch(/c2VjcmV0| {4}at /);
  });
});
