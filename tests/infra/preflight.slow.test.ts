import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { compiledParameters, describeCompiled } from './compiled.ts';
import { runWithStandIns } from './standIns.ts';

const group = { name: 'rg-sample', location: 'swedencentral', tags: { 'azd-env-name': 'sample' } };
const resource = (type: string, name: string) => ({ id: `/resources/${name}`, name, type });
const storage = resource('Microsoft.Storage/storageAccounts', 'stsample');
const site = resource('Microsoft.Web/sites', 'func-sample');
const foundry = resource('Microsoft.CognitiveServices/accounts', 'aif-sample');

describeCompiled('npm run preflight', () => {
  let issuer: Server;
  let issuerUrl: string;
  let folder: string;
  let parameters: string;

  beforeAll(async () => {
    issuer = createServer(({ url }, response) => {
      const document = url?.endsWith('/keys')
        ? { keys: [{ kty: 'EC' }] }
        : { issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys` };
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(document));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => issuer.once('listening', resolve));
    issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    folder = mkdtempSync(join(tmpdir(), 'preflight-'));
    parameters = join(folder, 'parameters.json');
    writeFileSync(parameters, await compiledParameters());
  }, 240_000);
  afterAll(() => {
    issuer.close();
    rmSync(folder, { recursive: true });
  });

  const preflight = (cloud: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
    runWithStandIns(process.execPath, ['infra/preflight.ts'], {
      env: {
        AZURE_ENV_NAME: 'sample',
        AZURE_LOCATION: 'Sweden Central',
        JWT_ISSUER: issuerUrl,
        JWT_AUDIENCE: 'api',
        STAND_IN_PARAMETERS: parameters,
        STAND_IN_CLOUD: JSON.stringify({
          ...cloud,
          parameters: { jwtIssuer: issuerUrl, ...(cloud['parameters'] as object) },
        }),
        ...env,
      },
    });
  /** What failed, each as "check: text" with what to do. */
  const failed = (stdout: string) =>
    [...stdout.matchAll(/^FAILED {2}(.*)\n {8}What to do: (.*)$/gm)].map(([, text, remedy]) => [
      text,
      remedy,
    ]);

  test('finds nothing wrong with an empty subscription that can have the deployment', async () => {
    const { code, stdout, calls } = await preflight();
    expect([code, failed(stdout)]).toEqual([0, []]);
    expect(stdout.match(/^ok {6}[^:]+/gm)?.map((line) => line.slice(8))).toEqual([
      ...['Signed in', 'Parameters', 'Issuer', 'Resource group', 'Resource providers', 'Region'],
      ...['Variation', 'Models', 'Rights', 'Template', 'Names'],
    ]);
    expect(stdout).toContain('free: stsample, func-sample, aif-sample');
    expect(calls.filter((call) => /\b(create|set|delete|purge|register|update)\b/.test(call))).toEqual([]);
  }, 60_000);

  test('finds nothing wrong with a second deployment: names and quota are its own, and it may be opened on purpose', async () => {
    const { code, stdout } = await preflight(
      {
        groups: [group],
        resources: [storage, site, foundry],
        taken: ['stsample', 'func-sample', 'aif-sample'],
        used: 50,
        quota: 60,
        deployed: [{ name: 'gpt-5.4-mini', sku: { capacity: 50 } }],
        networkAction: 'Deny',
      },
      { PRIVATE_NETWORK: 'false' },
    );
    expect([code, failed(stdout)]).toEqual([0, []]);
    expect(stdout).toContain('Names: all are ours');
  }, 60_000);

  test('names all that would fail at once, each with what to do', async () => {
    const { code, stdout } = await preflight({
      registered: [
        'Web',
        'Storage',
        'ManagedIdentity',
        'OperationalInsights',
        'Insights',
        'CognitiveServices',
      ],
      parameters: { privateNetwork: true, jwtIssuer: `${issuerUrl}/` },
      nodeVersions: ['20', '22'],
      quota: 30,
      actions: ['*'],
      notActions: ['Microsoft.Authorization/*/write'],
      deleted: ['aif-sample'],
    });
    expect(code).toBe(1);
    expect(failed(stdout)).toEqual([
      [
        `Issuer: ${issuerUrl}/ calls itself ${issuerUrl}`,
        expect.stringContaining(`azd env set JWT_ISSUER ${issuerUrl}`),
      ],
      [
        'Resource providers: not registered: Microsoft.Network, Microsoft.App',
        'az provider register --namespace Microsoft.Network --wait && az provider register --namespace Microsoft.App --wait',
      ],
      [
        'Region: swedencentral offers Node 20, 22, not 24',
        expect.stringContaining('azd env set FUNCTIONS_NODE_VERSION 22'),
      ],
      [
        expect.stringMatching(/^Models: gpt-5\.4-mini needs 50 thousand tokens a minute, 30 are left/),
        expect.stringContaining('azd env set MODEL_CAPACITY 30'),
      ],
      [
        expect.stringContaining('Rights: you may not Microsoft.Authorization/roleAssignments/write'),
        expect.stringContaining('Role Based Access Control Administrator'),
      ],
      [
        expect.stringContaining('Names: aif-sample was deleted less than 48 hours ago'),
        'az cognitiveservices account purge --location swedencentral --resource-group rg-sample --name aif-sample',
      ],
    ]);
  }, 60_000);

  test('keeps a private environment private, and tells of a template that Azure refuses', async () => {
    const { stdout } = await preflight({
      groups: [group],
      resources: [storage, site, foundry],
      networkAction: 'Deny',
      whatIfError: 'RequestDisallowedByPolicy',
    });
    expect(failed(stdout)).toEqual([
      [
        expect.stringContaining('Variation: the deployed environment is private'),
        expect.stringContaining('gh variable set PRIVATE_NETWORK --env ENVIRONMENT --body true'),
      ],
      ['Template: ERROR: RequestDisallowedByPolicy', expect.stringContaining('docs/deployment.md')],
    ]);
  }, 60_000);

  test('keeps an existing endpoint in use, and tells of a model that the region does not offer', async () => {
    const { stdout } = await preflight({
      groups: [group],
      resources: [storage, site],
      modelVersions: ['2027-01-01'],
    });
    expect(failed(stdout)).toEqual([
      [
        expect.stringContaining('uses an existing endpoint'),
        expect.stringContaining('azd env set EXISTING_OPENAI_BASE_URL'),
      ],
      [
        expect.stringContaining(
          'Models: swedencentral does not offer gpt-5.4-mini 2026-03-17 as GlobalStandard',
        ),
        expect.any(String),
      ],
    ]);
  }, 60_000);

  test('tells of a group elsewhere or of somebody else', async () => {
    const moved = await preflight({ groups: [{ ...group, location: 'eastus2' }] });
    expect(failed(moved.stdout)).toEqual([
      ['Resource group: rg-sample is in eastus2, not in swedencentral', expect.stringContaining('eastus2')],
    ]);
    const foreign = await preflight({ groups: [{ ...group, tags: null }] });
    expect(failed(foreign.stdout)).toEqual([
      [
        expect.stringContaining('it has no tag azd-env-name=sample'),
        expect.stringContaining('az group update --name rg-sample'),
      ],
    ]);
  }, 60_000);

  test('needs a signed-in az and the required variables', async () => {
    const { code, stdout } = await preflight({}, { AZURE_SUBSCRIPTION_ID: 'another', JWT_AUDIENCE: '' });
    expect(code).toBe(1);
    expect(failed(stdout)).toEqual([
      [expect.stringContaining('Signed in: az is at'), 'az account set --subscription another'],
      ['Parameters: JWT_AUDIENCE is not set', expect.stringContaining('azd env set JWT_AUDIENCE')],
    ]);
    const named = await preflight({}, { AZURE_ENV_NAME: 'my_app (dev)' });
    expect(failed(named.stdout)).toEqual([
      [
        'Parameters: the environment is called "my_app (dev)"',
        expect.stringContaining('letters, digits and hyphens'),
      ],
    ]);
  }, 60_000);
});
