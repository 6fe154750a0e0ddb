import { afterAll, expect, test } from '@jest/globals';
import { runCommand, startProcess, type TestProcess } from '../support/process.ts';
import { type ProxyServer, startProxyServer } from '../support/proxyServer.ts';
import { question, useService } from '../support/useService.ts';

/* An app without an API key: its managed identity gets the tokens for the engine. */

const token = 'token-of-the-identity';
const secret = 'secret-of-the-app';
let engine: TestProcess;
let identity: ProxyServer;
/** Requests for a token: what it is for. */
let asked: (string | null)[] = [];
let validSeconds = 1;
let behaviour: 'issues' | 'refuses' | 'hangs once' = 'issues';
const settings = () => ({
  IDENTITY_ENDPOINT: `http://127.0.0.1:${identity.port}/msi/token`,
  IDENTITY_HEADER: secret,
  // Not that of whoever runs the tests.
  AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
});

const t = useService(async () => {
  engine = await startProcess('local/emulator/main.ts', [
    ...['--queue-ms', '0', '--run-ms', '0', '--api-key', token],
  ]);
  // The endpoint of App Service ("How to use managed identities for App Service", REST endpoint reference).
  identity = await startProxyServer(async ({ url = '', headers }, response) => {
    const resource = new URL(url, 'http://localhost').searchParams.get('resource');
    asked.push(resource);
    if (behaviour === 'hangs once') {
      behaviour = 'issues';
      return;
    }
    const issues = behaviour === 'issues' && headers['x-identity-header'] === secret;
    response.writeHead(issues ? 200 : 400, { 'Content-Type': 'application/json' });
    const expiresAt = Math.floor(Date.now() / 1000) + validSeconds;
    const issued = { access_token: token, expires_on: String(expiresAt), resource, token_type: 'Bearer' };
    response.end(JSON.stringify(issues ? issued : { statusCode: 400, message: 'canary' }));
  });
  return { OPENAI_BASE_URL: engine.url, OPENAI_API_KEY: '', ...settings() };
});
afterAll(() => Promise.all([engine.close(), identity.close()]));

test('a run without a token for the engine is certainly not started, and can be repeated with its key', async () => {
  const thread = await t.openThread();
  const create = () => t.createRun(thread, question, { 'Idempotency-Key': 'once' });
  behaviour = 'refuses';
  const refused = await create();
  behaviour = 'issues';
  expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
  expect(`${refused.text}${t.log()}`).not.toMatch(/canary|secret-of/);
  const created = await create();
  expect([created.status, created.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
  const { body } = await t.call(`${thread}/runs?limit=2`);
  expect(body.runs.map(({ errorCode }: { errorCode?: string }) => errorCode)).toEqual([
    undefined,
    'engine_rejected',
  ]);
});

test('a token serves all requests until it expires', async () => {
  validSeconds = 3600;
  asked = [];
  for (const { run } of [await t.startRun(), await t.startRun()]) {
    expect((await t.finish(run)).body.status).toBe('completed');
  }
  expect(asked).toEqual(['https://ai.azure.com']);
  expect(t.log()).not.toContain(token);
});

test('a request for a token that hangs is given up, and the next one is sent', async () => {
  const code = `
    import { getBearerTokenProvider } from '@azure/identity';
    import { openCredential } from './shared/credential.ts';
    const tokens = getBearerTokenProvider(await openCredential(2_000), 'https://storage.azure.com/.default');
    const outcomes = [];
    for (let i = 0; i < 2; i++) outcomes.push(await tokens().catch(({ code }) => code));
    console.log(JSON.stringify(outcomes));
    process.exit();`;
  behaviour = 'hangs once';
  const { stdout } = await runCommand(process.execPath, ['--input-type=module', '--eval', code], settings());
  expect(JSON.parse(stdout)).toEqual(['unavailable', token]);
});
