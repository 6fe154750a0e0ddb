import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '../../local/azurite.ts';
import { runCommand } from '../support/process.ts';
import { useService } from '../support/useService.ts';

const t = useService();
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'start-failures-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

/**
 * Starts with the parts of the test's service, but for those given, which keep it from starting. Storage is its own: in
 * that of all tests the demo's thread may exist already, and then the engine is not asked.
 */
function start(settings: Record<string, string>) {
  const isOfStorage = (name: string) => /^(TABLES|QUEUES|AzureWebJobsStorage)/.test(name);
  const others = Object.entries(t.settings).filter(([name]) => !isOfStorage(name));
  return runCommand(process.execPath, ['local/start.ts'], {
    ...Object.fromEntries(others),
    LOCAL_DATA_DIR: dataDir,
    LOCAL_SETTINGS_FILE: '/nosuch/local.settings.json',
    PORT: '0',
    ...settings,
  });
}

/** What it says ends with this line. */
const doctor = 'npm run doctor tries all that the service needs.';

describe('npm start explains', () => {
  test('an engine that refuses the key', async () => {
    const key = 'canary-key-of-the-engine';
    const server = createServer((_request, response) => {
      const error = { message: `Incorrect API key: ${key}`, code: 'invalid_api_key' };
      response.writeHead(401, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    const { code, stderr, stdout } = await start({ OPENAI_BASE_URL: url, OPENAI_API_KEY: key });
    server.close();
    expect(code).toBe(1);
    expect(stderr).toContain(
      `The service did not start: The engine at ${url} answered 401 invalid_api_key.\nCheck OPENAI_API_KEY`,
    );
    expect(stderr).toContain(doctor);
    expect(stderr + stdout).not.toContain(key);
  });

  test('an address without /v1', async () => {
    const url = t.engine.url.replace('/v1', '');
    const { code, stderr } = await start({ OPENAI_BASE_URL: url });
    expect(code).toBe(1);
    expect(stderr).toContain(`The engine at ${url} answered 404`);
    expect(stderr).toContain('Check OPENAI_BASE_URL: its path is "/", but usually ends with /v1.');
  });

  test('storage that is away', async () => {
    const port = await freePort();
    const { code, stderr } = await start({
      TABLES_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=c2VjcmV0;TableEndpoint=http://127.0.0.1:${port}/a`,
    });
    expect(code).toBe(1);
    expect(stderr).toContain(`The service did not start: Table storage at http://127.0.0.1:${port}/a/Tables`);
    expect(stderr).toContain(
      'cannot be reached (ECONNREFUSED).\nCheck the address in TABLES_CONNECTION_STRING',
    );
    expect(stderr).not.toContain('c2VjcmV0');
  });
});
