import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request as send } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { scheduler } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { projectFolder, startProcess, type TestProcess } from '../../support/process.ts';
import { until } from '../../support/until.ts';
import { startService } from '../../support/useService.ts';

const folders: string[] = [];
const hosts: TestProcess[] = [];
afterAll(async () => {
  await Promise.all(hosts.map((host) => host.stop()));
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

/** A folder with a Functions app: `functions` is its code, with `app` in scope. */
async function writeApp(functions: string, { main = 'app.cjs', host = {} as object } = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'host-test-'));
  folders.push(folder);
  const library = JSON.stringify(join(projectFolder, 'node_modules/@azure/functions'));
  await Promise.all([
    writeFile(join(folder, 'package.json'), JSON.stringify({ main })),
    writeFile(join(folder, 'host.json'), JSON.stringify({ version: '2.0', ...host })),
    writeFile(join(folder, 'app.cjs'), `const { app } = require(${library});\n${functions}`),
  ]);
  return folder;
}

async function serve(folder: string, port = 0): Promise<TestProcess> {
  const args = ['--folder', folder, '--port', String(port)];
  const host = await startProcess('local/host/main.ts', args);
  hosts.push(host);
  return host;
}

interface TestResponse {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request whose target stays as it is: `fetch` would tidy it up. */
function raw(
  url: string,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: Buffer } = {},
): Promise<TestResponse> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    send({ hostname, port, path, method, headers, agent: false }, async (response) => {
      const { statusCode: status, headers } = response;
      resolve({ status, headers, body: await text(response) });
    })
      .on('error', reject)
      .end(body);
  });
}

const fixture = `
  const tell = async (request) => ({ jsonBody: {
    method: request.method,
    url: request.url,
    params: request.params,
    query: Object.fromEntries(request.query),
    header: request.headers.get('X-Twice'),
    bytes: (await request.arrayBuffer()).byteLength,
  } });
  app.http('tell', { methods: ['GET', 'POST'], route: 'boxes/{boxId}/items/{itemId}', handler: tell });
  app.http('plain', { handler: () => ({ body: 'plain' }) });
  app.http('headed', { methods: ['GET', 'HEAD'], handler: () => ({ body: 'a body', headers: { 'X-Some': 'thing' } }) });
  app.http('bytes', { handler: () => ({ body: new Uint8Array([0, 255, 128]), status: 203 }) });
  app.http('throws', { handler: () => { throw new Error('secret'); } });
  app.http('rejects', { handler: () => Promise.reject(new Error('secret')) });
  app.http('noStatus', { handler: () => ({ status: 700, body: 'secret' }) });
  app.http('v1.0', { handler: () => ({ body: 'dotted' }) });
`;

describe('the local host', () => {
  let host: TestProcess;
  const get = (path: string, init = {}) => raw(host.url, path, init);
  const told = async (path: string, init = {}) => JSON.parse((await get(path, init)).body);

  beforeAll(async () => {
    host = await serve(await writeApp(fixture));
  });

  test('gives a function its parameters, query, headers and URL', async () => {
    const headers = { 'X-Twice': 'once' };
    expect(await told('/api/boxes/b1/items/i1?a=1&b=%C3%A4&a=2', { headers })).toEqual({
      method: 'GET',
      url: `${host.url}/api/boxes/b1/items/i1?a=1&b=%C3%A4&a=2`,
      params: { boxId: 'b1', itemId: 'i1' },
      query: { a: '1,2', b: 'ä' },
      header: 'once',
      bytes: 0,
    });
  });

  test.each([
    ['percent-encoded text', 'caf%C3%A9%20au%20lait', 'café au lait'],
    ['an encoded percent sign, once only', '%2541', '%41'],
    ['a plus sign as it is', 'a+b', 'a+b'],
    ['capitals as they are', 'MixedCase', 'MixedCase'],
  ])('decodes a parameter: %s', async (_name, sent, received) => {
    expect((await told(`/api/boxes/${sent}/items/i`)).params.boxId).toBe(received);
  });

  test.each(['%', '%zz', '%E0%A4%A', '%C3'])(
    'answers 404 for %s, which is no percent-encoding',
    async (malformed) => {
      expect(await get(`/api/boxes/${malformed}/items/i`)).toMatchObject({ status: 404, body: '' });
    },
  );

  test.each([
    ['an unknown path', 'GET', '/api/nothing'],
    ['the prefix alone', 'GET', '/api'],
    ['a path without the prefix', 'GET', '/boxes/b/items/i'],
    ['a path that goes on', 'GET', '/api/boxes/b/items/i/more'],
    ['a path that stops early', 'GET', '/api/boxes/b/items'],
    ['an empty parameter', 'GET', '/api/boxes//items/i'],
    ['a path that a dot would match', 'GET', '/api/v1x0'],
    ['a method of no function', 'DELETE', '/api/boxes/b/items/i'],
    ['HEAD for a function that has none', 'HEAD', '/api/boxes/b/items/i'],
    ['OPTIONS', 'OPTIONS', '/api/boxes/b/items/i'],
  ])('answers 404 with an empty body for %s', async (_name, method, path) => {
    expect(await get(path, { method })).toMatchObject({ status: 404, body: '' });
  });

  test('has a page at the root, as the real host', async () => {
    const { status, headers, body } = await get('/');
    expect([status, headers['content-type']]).toEqual([200, 'text/html']);
    expect(body).toContain('/api/openapi.json');
  });

  test.each([
    ['an unknown path', 'GET', '/api/nothing?code=secret', 'No function has a route for this path.'],
    ['a path without the prefix', 'GET', '/boxes/b/items/i', 'All routes are under /api.'],
    ['the root', 'GET', '/', 'All routes are under /api.'],
    ['a method of no function', 'DELETE', '/api/boxes/b/items/i', 'The path takes GET, POST only.'],
    ['an encoded NUL', 'GET', '/api/%00', 'The path has an encoded NUL'],
  ])('logs why it responds itself: %s', async (_name, method, path, reason) => {
    const before = host.output().length;
    await get(path, { method });
    const said = () => host.output().slice(before);
    await until('the log has come', () => said().includes('host_response'));
    expect(said()).toContain(`"method":"${method}","path":"${path.split('?')[0]}"`);
    expect(said()).toContain(`"reason":"${reason}`);
    expect(said()).not.toContain('secret');
  });

  test.each([
    ['a trailing slash', '/api/boxes/b/items/i/'],
    ['another case', '/API/Boxes/b/ITEMS/i'],
  ])('finds a function in spite of %s', async (_name, path) => {
    expect((await told(path)).params).toEqual({ boxId: 'b', itemId: 'i' });
  });

  test('serves a function without a route under its name, to GET and POST', async () => {
    expect(await get('/api/plain')).toMatchObject({ status: 200, body: 'plain' });
    expect(await get('/api/plain', { method: 'POST' })).toMatchObject({ status: 200, body: 'plain' });
    expect((await get('/api/plain', { method: 'PUT' })).status).toBe(404);
    expect((await get('/api/v1.0')).body).toBe('dotted');
  });

  test('answers HEAD without a body where a function has that method', async () => {
    const response = await get('/api/headed', { method: 'HEAD' });
    expect(response).toMatchObject({ status: 200, body: '', headers: { 'x-some': 'thing' } });
  });

  test('passes on a body of 3 MB whole, and of none', async () => {
    const [path, method] = ['/api/boxes/b/items/i', 'POST'];
    expect((await told(path, { method, body: Buffer.alloc(3_000_000, 1) })).bytes).toBe(3_000_000);
    expect((await told(path, { method })).bytes).toBe(0);
  });

  test('passes on status and bytes of a response', async () => {
    const response = await fetch(`${host.url}/api/bytes`);
    expect(response.status).toBe(203);
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([0, 255, 128]);
  });

  test.each(['throws', 'rejects', 'noStatus'])(
    'answers 500 with an empty body for a function that %s, and goes on',
    async (name) => {
      expect(await get(`/api/${name}`)).toMatchObject({ status: 500, body: '' });
      expect((await get('/api/plain')).status).toBe(200);
      expect(host.output()).toContain(`${name} threw`);
      expect(host.output()).not.toContain('secret');
    },
  );

  test('goes on after a client that left in the middle of its body', async () => {
    const { port } = new URL(host.url);
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.end('POST /api/plain HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    await once(socket.resume(), 'close');
    expect((await get('/api/plain')).status).toBe(200);
  });
});

test('the local host refuses a request whose target or Host makes no URL, and goes on', async () => {
  const host = await serve(await writeApp(fixture));
  for (const [path, headers] of [
    ['//', {}],
    ['//a:b/', {}],
    ['/api/plain', { Host: 'a b' }],
  ] as const) {
    const { status } = await raw(host.url, path, { headers });
    expect([400, 404]).toContain(status);
    expect((await raw(host.url, '/api/plain')).status).toBe(200);
  }
});

describe('the local host reads the app as the runtime does', () => {
  test.each([
    ['another prefix', 'v9/things', '/v9/things/plain'],
    ['none', '', '/plain'],
  ])('takes the route prefix from host.json: %s', async (_name, routePrefix, path) => {
    const host = await serve(await writeApp(fixture, { host: { extensions: { http: { routePrefix } } } }));
    expect((await raw(host.url, path)).body).toBe('plain');
    expect((await raw(host.url, '/api/plain')).status).toBe(404);
  });

  test('loads every file that main matches', async () => {
    const folder = await writeApp("app.http('one', { handler: () => ({ body: '1' }) });", { main: '*.cjs' });
    const library = JSON.stringify(join(projectFolder, 'node_modules/@azure/functions'));
    await writeFile(
      join(folder, 'other.cjs'),
      `require(${library}).app.http('two', { handler: () => ({ body: '2' }) });`,
    );
    const host = await serve(folder);
    expect((await raw(host.url, '/api/one')).body).toBe('1');
    expect((await raw(host.url, '/api/two')).body).toBe('2');
  });

  test.each([
    [
      'main matches nothing',
      '',
      { main: 'dist/*.cjs' },
      'dist/*.cjs does not exist; run "npm run build" first',
    ],
    ['the app throws when loaded', 'throw new Error("broken app");', {}, 'broken app'],
    [
      'a function has another trigger',
      "app.timer('tick', { schedule: '* * * * * *', handler: () => {} });",
      {},
      'tick has the trigger timerTrigger; this host knows HTTP and queues only',
    ],
    [
      'a route has a constraint',
      "app.http('typed', { route: 'x/{id:int}', handler: () => {} });",
      {},
      'typed: this host does not know the route syntax "{id:int}"',
    ],
  ])('ends with code 1 and the reason when %s', async (_name, functions, options, reason) => {
    const started = serve(await writeApp(functions, options));
    await expect(started).rejects.toThrow('ended with code 1');
    await expect(started).rejects.toThrow(reason);
  });

  test('ends with code 1 when its port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    try {
      await once(taken, 'listening');
      const started = serve(await writeApp(fixture), (taken.address() as AddressInfo).port);
      await expect(started).rejects.toThrow('ended with code 1');
      await expect(started).rejects.toThrow('EADDRINUSE');
    } finally {
      taken.close();
    }
  });
});

describe('the app', () => {
  test('registers one function for each file of functions/, with the name of the file', async () => {
    const files = (await readdir(join(projectFolder, 'functions'))).filter((file) => file !== 'index.ts');
    const folders = await Promise.all(
      files.map((file) => writeApp('', { main: join(projectFolder, 'functions', file) })),
    );
    // Registrations add up in a process, so each app is told by what came with it; the built one comes last.
    const script = `
      import { loadApp } from ${JSON.stringify(join(projectFolder, 'local/host/app.ts'))};
      import { registrations } from ${JSON.stringify(join(projectFolder, 'local/host/functionsCore.ts'))};
      let count = 0;
      for (const folder of ${JSON.stringify([...folders, projectFolder])}) {
        await loadApp(folder);
        console.log(registrations.slice(count).map(({ metadata }) => metadata.name).join());
        count = registrations.length;
      }
      // A streaming app keeps a server of its own.
      process.exit();`;
    // With everything that a setting switches on.
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, CONSOLE: 'true' },
    });
    const names = files.map((file) => file.replace(/\.ts$/, ''));
    expect(stdout.trim().split('\n')).toEqual([...names, names.toSorted().join()]);
  });

  test('lets a request in flight finish when it is asked to end', async () => {
    const service = await startService();
    try {
      const { projectId } = await service.addProject();
      const thread = await service.openThread(projectId);
      await service.engine.reset();
      await service.engine.fault({ method: 'POST', path: '/v1/responses' }, { kind: 'delay', ms: 1_000 });
      const creating = service.call(`${thread}/runs`, {
        method: 'POST',
        body: { message: 'Are you there?' },
      });
      while ((await service.engine.calls()).length === 0) await scheduler.wait(20);
      const ended = service.stop();
      expect((await creating).status).toBe(201);
      expect(await ended).toBe(0);
      await expect(service.call(thread)).rejects.toThrow('fetch failed');
    } finally {
      await service.close();
    }
  });
});
