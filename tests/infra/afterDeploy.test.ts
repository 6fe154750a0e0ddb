import { describe, expect, test } from '@jest/globals';
import { runWithStandIns } from './standIns.ts';

const outputs = {
  AZURE_SUBSCRIPTION_ID: 'subscription',
  AZURE_RESOURCE_GROUP: 'rg-sample',
  AZURE_FUNCTION_APP_NAME: 'func-sample',
  TABLES_ENDPOINT: 'https://tables.example.com/',
  QUEUES_ENDPOINT: 'https://queues.example.com/',
  SERVICE_BASE_URL: 'https://func.example.com',
  JWT_AUDIENCE: 'api',
  SMOKE_PROJECT_ID: 'demo',
};

/** A role that is as new as can be: every attempt may be one too early. */
const fresh = { rolesCreatedOn: new Date().toISOString() };
/** Roles of an earlier deployment: nothing is to be waited for but the start of the app, which is at once here. */
const old = { rolesCreatedOn: '2026-01-01T00:00:00Z' };

const afterDeploy = (args: string[], cloud: Record<string, unknown>, env: Record<string, string> = {}) =>
  runWithStandIns(process.execPath, ['infra/afterDeploy.ts', ...args], {
    env: { ...outputs, STAND_IN_CLOUD: JSON.stringify(cloud), ...env },
  });
const uploads = (calls: readonly string[]) => calls.filter((call) => call.includes('config-zip')).length;
const npmCalls = (calls: readonly string[]) => calls.filter((call) => call.startsWith('npm ')).length;

describe('the upload of the package', () => {
  test('is repeated while the identity of the app may not write yet', async () => {
    const { code, calls } = await afterDeploy(['package', 'package.json'], { ...fresh, uploadRefusals: 3 });
    expect([code, uploads(calls)]).toEqual([0, 4]);
  });

  test('fails at once for a package that is none', async () => {
    const { code, stderr, calls } = await afterDeploy(['package', 'package.json'], {
      ...fresh,
      badPackage: true,
    });
    expect([code, uploads(calls)]).toEqual([1, 1]);
    expect(stderr).toContain('package.json could not be deployed');
  });
});

describe('applying the projects', () => {
  test('is repeated while the store refuses, and not for a file that is wrong', async () => {
    const refused = {
      STAND_IN_NPM: '1 1 0',
      STAND_IN_NPM_OUTPUT: 'Cannot use the table storage (RestError 403).',
    };
    const applied = await afterDeploy(['projects'], fresh, refused);
    expect([applied.code, npmCalls(applied.calls)]).toEqual([0, 3]);
    const wrong = { STAND_IN_NPM: '1 1 0', STAND_IN_NPM_OUTPUT: 'The projects are not valid:' };
    const failed = await afterDeploy(['projects'], fresh, wrong);
    expect([failed.code, npmCalls(failed.calls)]).toEqual([1, 1]);
  });
});

describe('the smoke test', () => {
  test('is repeated while a role may not count yet', async () => {
    const { code, calls } = await afterDeploy(['smoke'], fresh, { STAND_IN_NPM: '75 75 0' });
    expect([code, npmCalls(calls)]).toEqual([0, 3]);
  });

  test('fails at once for what will not pass by itself', async () => {
    const { code, calls } = await afterDeploy(['smoke'], fresh, { STAND_IN_NPM: '1 0' });
    expect([code, npmCalls(calls)]).toEqual([1, 1]);
  });

  test('gives a package that does not start up soon when all roles are old, so that the earlier one comes back', async () => {
    const codes = Array.from({ length: 200 }, () => '75').join(' ');
    const { code, stderr, calls } = await afterDeploy(['smoke'], old, { STAND_IN_NPM: codes });
    expect([code, stderr]).toEqual([1, 'the smoke test failed\n']);
    expect(npmCalls(calls)).toBeLessThan(20);
  });

  test('says what to do when there is no token, and is left out without a project', async () => {
    const refused = await afterDeploy(['smoke'], { tokenRefused: true });
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(
        /AADSTS65001[\s\S]*"The API's registration" in docs\/deployment\.md, or set SMOKE_TOKEN/,
      ),
    ]);
    const without = await afterDeploy(['smoke'], {}, { SMOKE_PROJECT_ID: '' });
    expect([without.code, without.stdout]).toEqual([0, expect.stringContaining('Smoke test left out')]);
  });
});
