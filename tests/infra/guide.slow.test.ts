import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { projectFolder } from '../support/process.ts';
import { type Ended, runWithStandIns } from './standIns.ts';

const read = (path: string) => readFileSync(join(projectFolder, path), 'utf8');
const guide = read('docs/deployment.md');

/** The first script of a section of the guide. */
function script(heading: string): string {
  const section = guide.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const found = /```sh\n([\s\S]*?)```/.exec(section)?.[1];
  if (!found) throw new Error(`"${heading}" has no script`);
  return found;
}

/** Runs a script of the guide as somebody would who pastes it, but for stopping at the first error. */
const paste = (text: string, env: Record<string, string> = {}) =>
  runWithStandIns('bash', ['--norc', '-euc', text], { env });

describe('the registration of the API', () => {
  test('exposes a scope, and lets the Azure CLI have that one', async () => {
    const { code, stdout, stderr, calls } = await paste(script("The API's registration"));
    expect([code, stderr]).toEqual([0, '']);
    const bodies = calls
      .join('\n')
      .split('\naz ')
      .filter((call) => call.startsWith('rest'))
      .map((call) => JSON.parse(call.slice(call.indexOf('{'))));
    const [exposed, allowed] = bodies;
    expect(bodies).toHaveLength(2);
    expect(exposed.api).toMatchObject({
      requestedAccessTokenVersion: 2,
      oauth2PermissionScopes: [{ isEnabled: true }],
    });
    expect(allowed.api.preAuthorizedApplications).toEqual([
      {
        appId: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
        delegatedPermissionIds: [exposed.api.oauth2PermissionScopes[0].id],
      },
    ]);
    expect(stdout).toContain(
      'JWT_ISSUER=https://login.microsoftonline.com/tenant/v2.0 JWT_AUDIENCE=11111111-1111-1111-1111-111111111111',
    );
  });
});

describe('the connection to GitHub', () => {
  const ids = { sub_claim_prefix: 'repo:owner@1/name@2' };
  const env = (subject?: unknown) => ({ API: 'api-id', STAND_IN_GITHUB: JSON.stringify({ subject }) });
  let connected: Ended;
  beforeAll(async () => {
    connected = await paste(script('From GitHub'), env(ids));
  }, 60_000);

  test('trusts the two environments of the repository, by the subject that GitHub tells', () => {
    const { code, stderr, calls } = connected;
    expect([code, stderr]).toEqual([0, '']);
    expect(calls.join('\n').match(/(?<="subject": ")[^"]+/g)).toEqual([
      'repo:owner@1/name@2:environment:production',
      'repo:owner@1/name@2:environment:what-if',
    ]);
  });

  test.each([
    ['tells a prefix', ids, 'repo:owner@1/name@2'],
    ['tells none', { use_default: true }, 'repo:owner/name'],
    ['knows of no customization', undefined, 'repo:owner/name'],
  ])('takes the subject that a repository has where GitHub %s', async (_case, subject, prefix) => {
    const [beginning] = script('From GitHub').split('\n# 1. ');
    const { code, stdout } = await paste(`${beginning}\necho "\${PREFIX%:}"`, env(subject));
    expect([code, stdout]).toEqual([0, `${prefix}\n`]);
  });

  test('lets the pipeline change one group, and grant there the roles of the template to services only', () => {
    const { calls } = connected;
    const granted = calls.filter((call) => call.startsWith('az role assignment create'));
    const [subscription, group] = [
      '/subscriptions/00000000-0000-0000-0000-000000000001',
      '/resourceGroups/rg-prod',
    ];
    const scopes = granted.map((call) => [
      /--role (.*?) --(?:scope|condition)/.exec(call)?.[1],
      /--scope (\S+)/.exec(call)?.[1],
    ]);
    expect(scopes).toEqual([
      ['Threads deployment', subscription],
      ['Contributor', subscription + group],
      ['Role Based Access Control Administrator', subscription + group],
      ['Deployment what-if', subscription],
    ]);
    const condition = granted[2]?.split('--condition ')[1] ?? '';
    const roles = read('infra/roleIds.bicep')
      .match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g)
      ?.sort();
    for (const [action, source] of [
      ['write', 'Request'],
      ['delete', 'Resource'],
    ]) {
      const part =
        condition.split(' AND ((!').find((text) => text.includes(`roleAssignments/${action}'`)) ?? '';
      expect(part).toContain(`@${source}[Microsoft.Authorization/roleAssignments:RoleDefinitionId]`);
      expect(part).toContain(
        `@${source}[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'ServicePrincipal'}`,
      );
      expect(part.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g)?.sort()).toEqual(roles);
    }
    // What it has on the subscription changes nothing but deployments, which are held to its other rights.
    const definition = calls.join('\n').split('"Threads deployment"')[1]?.split('}')[0];
    expect(definition).toContain('"Actions": ["*/read", "Microsoft.Resources/deployments/*"]');
  });
});

describe('the guide', () => {
  test('names every variable of the template, and every check of preflight that it counts', () => {
    const variables = [...read('infra/main.bicepparam').matchAll(/readEnvironmentVariable\('(\w+)'/g)]
      .map(([, name]) => name ?? '')
      .filter((name) => !name.startsWith('AZURE_'));
    expect(variables.filter((name) => !guide.includes(`\`${name}\``))).toEqual([]);
    const checks = read('infra/preflight.ts').match(/await check\('/g);
    expect([checks?.length, guide.includes('for each of eleven checks')]).toEqual([11, true]);
  });
});
