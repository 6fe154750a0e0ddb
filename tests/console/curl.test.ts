import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { toCurl } from '../../console/src/curl.ts';
import type { Exchange } from '../../console/src/exchange.ts';

/* The console's commands, pasted into a shell. */

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

let received: Received;
const server = createServer(async (request, response) => {
  const { method = '', url: path = '', headers } = request;
  received = { method, path, headers, body: await text(request) };
  response.end();
});
let folder: string;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'curl-test-'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Runs the command of a request in a shell. @returns what the server received. */
async function paste(exchange: Partial<Exchange>): Promise<Received> {
  const command = toCurl({ key: 1, method: 'GET', url, headers: [], at: 0, ...exchange });
  await promisify(execFile)('sh', ['-c', command], {
    cwd: folder,
    env: { PATH: process.env['PATH'], TOKEN: 'secret.token' },
  });
  return received;
}

test('a body arrives as it was sent, whatever characters it has', async () => {
  const message = `It's "quoted" $HOME \`id\` \\ !! ünï 🎉 \n second line`;
  const json = JSON.stringify({ message });
  const headers = [
    ['accept', 'application/json'],
    ['content-type', 'application/json'],
    ['idempotency-key', 'key'],
  ] as const;
  const { method, headers: sent, body } = await paste({ method: 'POST', headers, body: json });
  expect([method, body]).toEqual(['POST', json]);
  expect(sent).toMatchObject({
    authorization: 'Bearer secret.token',
    'content-type': 'application/json',
    'idempotency-key': 'key',
  });
});

test('a file is uploaded by its name, whatever characters that has', async () => {
  const file = `it's; a "file", type=x \\ no.1.md`;
  await writeFile(join(folder, file), 'content of it');
  const { method, body } = await paste({ method: 'POST', body: { file } });
  expect(method).toBe('POST');
  expect(body).toContain('name="file"');
  expect(body).toContain('no.1.md');
  expect(body).toContain('content of it');
});

test('requests without a body keep their method and their address', async () => {
  const path = '/threads?limit=20&after=thread_1';
  expect(await paste({ url: url + path })).toMatchObject({ method: 'GET', path, body: '' });
  expect(await paste({ method: 'DELETE', url: url + path })).toMatchObject({ method: 'DELETE', path });
  expect(await paste({ method: 'POST', url: `${url}/cancel` })).toMatchObject({ method: 'POST', body: '' });
});
