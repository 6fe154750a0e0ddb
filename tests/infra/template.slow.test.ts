import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parseConfig, settingNames } from '../../shared/config.ts';
import { followUpQueueName } from '../../shared/storage/followUpQueue.ts';
import { describeCompiled, type Resource, type Snapshot, snapshot, template } from './compiled.ts';

const infra = join(import.meta.dirname, '../../infra');
const operator = '11111111-1111-1111-1111-111111111111';
const roleNames: Record<string, string> = {
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88': 'Storage Queue Data Contributor',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3': 'Storage Table Data Contributor',
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
  '53ca6127-db72-4b80-b1b0-d745d6d5456d': 'Foundry User',
};
const platformSettings = [
  'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
  'APPLICATIONINSIGHTS_CONNECTION_STRING',
  'AZURE_CLIENT_ID',
  'AzureWebJobsStorage__blobServiceUri',
  'AzureWebJobsStorage__clientId',
  'AzureWebJobsStorage__credential',
  'AzureWebJobsStorage__queueServiceUri',
  'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT',
  'languageWorkers__node__arguments',
];

/** Settings that the deployment leaves out unless it is told otherwise. */
const withheld = ['JWT_JWKS_URI', 'OPENAI_API_KEY', 'TABLES_CONNECTION_STRING', 'QUEUES_CONNECTION_STRING'];

const all = ({ resources }: Snapshot, type: string) => resources.filter((resource) => resource.type === type);
const names = (from: Snapshot, type: string) => all(from, type).map(({ name }) => name.split('/').at(-1));
const provider = (from: Snapshot, prefix: string) =>
  from.resources.filter(({ type }) => type.startsWith(prefix));

function one(from: Snapshot, type: string, name = ''): Resource {
  const found = all(from, type).filter((resource) => resource.name.includes(name));
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} resources of ${type} ${name}`);
  return found[0];
}

function settings(from: Snapshot): Record<string, string> {
  const { siteConfig } = one(from, 'Microsoft.Web/sites').properties as {
    siteConfig: { appSettings: { name: string; value: string }[] };
  };
  return Object.fromEntries(siteConfig.appSettings.map(({ name, value }) => [name, value]));
}

/** Every role assignment as "who: role on resource", the resource without what comes before its provider. */
function grants(from: Snapshot): string[] {
  return all(from, 'Microsoft.Authorization/roleAssignments')
    .map(({ id, properties }) => {
      const scope = id.split('/providers/').slice(1, -1).join('/');
      const role = String(properties['roleDefinitionId']).split('/').at(-1) ?? '';
      const principal = String(properties['principalId']);
      const who = /userAssignedIdentities\/id-/.test(principal)
        ? 'app'
        : /accounts\/aif-.*identity/.test(principal)
          ? 'project'
          : principal;
      return `${who} (${properties['principalType']}): ${roleNames[role]} on ${scope.replaceAll(/-sample-[a-z0-9]{8}|(?<=\/)st[a-z0-9]{13}/g, '')}`;
    })
    .sort();
}

const appGrants = [
  'app (ServicePrincipal): Monitoring Metrics Publisher on Microsoft.Insights/components/appi',
  'app (ServicePrincipal): Storage Blob Data Owner on Microsoft.Storage/storageAccounts/',
  'app (ServicePrincipal): Storage Queue Data Contributor on Microsoft.Storage/storageAccounts//queueServices/default/queues/runs',
  'app (ServicePrincipal): Storage Queue Data Contributor on Microsoft.Storage/storageAccounts//queueServices/default/queues/runs-poison',
  'app (ServicePrincipal): Storage Table Data Contributor on Microsoft.Storage/storageAccounts/',
];

describeCompiled('the deployment', () => {
  let main: Snapshot;
  beforeAll(async () => {
    main = await snapshot();
  }, 240_000);

  test('takes no account key, allows no public blob and no old TLS in storage', () => {
    expect(one(main, 'Microsoft.Storage/storageAccounts').properties).toMatchObject({
      allowSharedKeyAccess: false,
      allowBlobPublicAccess: false,
      allowCrossTenantReplication: false,
      defaultToOAuthAuthentication: true,
      minimumTlsVersion: 'TLS1_2',
      supportsHttpsTrafficOnly: true,
    });
  });

  test('has the queue that the app sends to and its trigger reads, with its poison queue', () => {
    const queues = names(main, 'Microsoft.Storage/storageAccounts/queueServices/queues');
    expect(queues).toEqual([followUpQueueName, `${followUpQueueName}-poison`]);
  });

  test('has the two tables and a private container for the package, with deleted blobs kept a week', () => {
    expect(names(main, 'Microsoft.Storage/storageAccounts/tableServices/tables')).toEqual([
      'projects',
      'threads',
    ]);
    expect(names(main, 'Microsoft.Storage/storageAccounts/blobServices/containers')).toEqual(['deployments']);
    expect(one(main, 'Microsoft.Storage/storageAccounts/blobServices/containers').properties).toEqual({
      publicAccess: 'None',
    });
    expect(one(main, 'Microsoft.Storage/storageAccounts/blobServices').properties).toEqual({
      deleteRetentionPolicy: { enabled: true, days: 7 },
      containerDeleteRetentionPolicy: { enabled: true, days: 7 },
    });
  });

  test('serves HTTPS with TLS 1.2 only, no origin unless one is named, and sets nothing that a region may refuse', () => {
    expect(one(main, 'Microsoft.Web/sites').properties).toMatchObject({
      httpsOnly: true,
      siteConfig: {
        minTlsVersion: '1.2',
        scmMinTlsVersion: '1.2',
        cors: { allowedOrigins: [], supportCredentials: false },
      },
    });
    const { siteConfig } = one(main, 'Microsoft.Web/sites').properties;
    const set = ['appSettings', 'cors', 'minTlsVersion', 'scmMinTlsVersion'];
    expect(Object.keys(siteConfig as object).sort()).toEqual(set);
  });

  test('switches publishing with a password off', () => {
    const policies = all(main, 'Microsoft.Web/sites/basicPublishingCredentialsPolicies');
    expect(policies.map(({ name, properties }) => [name.split('/')[1], properties])).toEqual([
      ['scm', { allow: false }],
    ]);
  });

  test('runs Node on Flex Consumption and takes its package from storage with its own identity', () => {
    const identityId = one(main, 'Microsoft.ManagedIdentity/userAssignedIdentities').id;
    expect(one(main, 'Microsoft.Web/serverfarms')).toMatchObject({
      sku: { tier: 'FlexConsumption', name: 'FC1' },
      properties: { reserved: true },
    });
    expect(one(main, 'Microsoft.Web/sites')).toMatchObject({
      kind: 'functionapp,linux',
      identity: { type: 'UserAssigned', userAssignedIdentities: { [identityId]: {} } },
      tags: { 'azd-service-name': 'api', 'azd-env-name': 'sample' },
      properties: {
        functionAppConfig: {
          runtime: { name: 'node', version: '24' },
          deployment: {
            storage: {
              type: 'blobContainer',
              value: expect.stringContaining("primaryEndpoints.blob, 'deployments')"),
              authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId },
            },
          },
          scaleAndConcurrency: {
            instanceMemoryMB: 2048,
            maximumInstanceCount: 40,
            alwaysReady: [],
            triggers: { http: { perInstanceConcurrency: 100 } },
          },
        },
      },
    });
  });

  test('sets every setting of the service but the secrets, and the platform settings, and no other', () => {
    const expected = [...settingNames.filter((name) => !withheld.includes(name)), ...platformSettings];
    expect(Object.keys(settings(main)).sort()).toEqual(expected.sort());
  });

  test('sets what the service accepts as its configuration', () => {
    const known = Object.entries(settings(main)).map(([name, value]) => [
      name,
      value.startsWith('[reference(') ? 'https://known.example.com/' : value,
    ]);
    const config = parseConfig(Object.fromEntries(known));
    expect([...config.assistants.keys()]).toEqual(['asst_docshelper']);
    expect(config.engine).toMatchObject({ apiKey: undefined, tokenScope: 'https://ai.azure.com/.default' });
    expect(config.runTimeoutSeconds).toBe(600);
    expect(config.eventStreamSeconds).toBe(220);
  });

  test('connects to storage and telemetry by identity only', () => {
    const found = settings(main);
    expect(found['AzureWebJobsStorage__credential']).toBe('managedidentity');
    for (const name of ['AzureWebJobsStorage__clientId', 'AZURE_CLIENT_ID']) {
      expect(found[name]).toMatch(
        /^\[reference\('[^']+\/userAssignedIdentities\/id-[^']+', '[^']+'\)\.clientId\]$/,
      );
    }
    expect(found['APPLICATIONINSIGHTS_AUTHENTICATION_STRING']).toMatch(
      /^\[format\('ClientId=\{0\};Authorization=AAD'/,
    );
    expect(found['AzureWebJobsStorage__blobServiceUri']).toMatch(/primaryEndpoints\.blob\]$/);
    expect(found['TABLES_ENDPOINT']).toMatch(/primaryEndpoints\.table\]$/);
    for (const name of ['QUEUES_ENDPOINT', 'AzureWebJobsStorage__queueServiceUri']) {
      expect(found[name]).toMatch(/primaryEndpoints\.queue\]$/);
    }
    expect(Object.values(found).join()).not.toMatch(
      /AccountKey|SharedAccess|UseDevelopment|InstrumentationKey=/,
    );
  });

  test('puts no secret into an output', () => {
    expect(Object.keys(main.outputs).sort()).toEqual([
      'APP_PRINCIPAL_ID',
      'AZURE_FUNCTION_APP_NAME',
      'AZURE_RESOURCE_GROUP',
      'OPENAI_BASE_URL',
      'QUEUES_ENDPOINT',
      'SERVICE_BASE_URL',
      'TABLES_ENDPOINT',
    ]);
    expect(JSON.stringify(main.outputs)).not.toMatch(/key|connectionString|secret|token/i);
  });

  test('grants exactly what is needed, each on one resource', () => {
    expect(grants(main)).toEqual([
      'app (ServicePrincipal): Foundry User on Microsoft.CognitiveServices/accounts/aif/projects/threads',
      ...appGrants,
      'project (ServicePrincipal): Foundry User on Microsoft.CognitiveServices/accounts/aif',
    ]);
  });

  test('names each role once in the sources', () => {
    const sources = globSync('**/*.bicep', { cwd: infra }).map((path) =>
      readFileSync(join(infra, path), 'utf8'),
    );
    for (const role of Object.keys(roleNames)) {
      expect([role, sources.join().split(role).length - 1]).toEqual([role, 1]);
    }
  });

  test('creates a Foundry account without keys, with its project and models, and points the service at the project', () => {
    const account = one(main, 'Microsoft.CognitiveServices/accounts');
    expect(account).toMatchObject({
      kind: 'AIServices',
      properties: { customSubDomainName: account.name, disableLocalAuth: true, allowProjectManagement: true },
    });
    expect(settings(main)['OPENAI_BASE_URL']).toBe(
      `https://${account.name}.services.ai.azure.com/api/projects/threads/openai/v1`,
    );
    expect(one(main, 'Microsoft.CognitiveServices/accounts/projects').name).toBe(`${account.name}/threads`);
  });

  test('deploys every model that an assistant of the repository names', () => {
    const assistants: { model: string }[] = JSON.parse(settings(main)['ASSISTANTS'] ?? '');
    const deployed = names(main, 'Microsoft.CognitiveServices/accounts/deployments');
    expect(deployed).toEqual(expect.arrayContaining(assistants.map(({ model }) => model)));
  });

  test('takes telemetry with Entra tokens only and bounds what it can cost', () => {
    const workspace = one(main, 'Microsoft.OperationalInsights/workspaces');
    expect(one(main, 'Microsoft.Insights/components').properties).toMatchObject({
      DisableLocalAuth: true,
      WorkspaceResourceId: workspace.id,
      SamplingPercentage: 100,
    });
    expect(workspace.properties).toMatchObject({
      features: { disableLocalAuth: true },
      workspaceCapping: { dailyQuotaGb: 1 },
      retentionInDays: 30,
    });
  });

  test('alerts on errors, throttling, slow creates, expired runs, lost follow-ups and silence, with the queries it saves', () => {
    const group = one(main, 'Microsoft.Insights/actionGroups');
    const rules = all(main, 'Microsoft.Insights/scheduledQueryRules');
    const rule = (name: string) => rules.find((found) => found.name.startsWith(name));
    const saved = all(main, 'Microsoft.OperationalInsights/workspaces/savedSearches');
    const alerts = [
      ...['server-errors', 'engine-throttling', 'slow-creates', 'expired-runs'],
      ...['follow-ups-not-sent', 'follow-ups-given-up', 'log-cap'],
    ];
    expect(rules).toHaveLength(alerts.length);
    for (const name of alerts) {
      const query = saved.find((found) => found.name.endsWith(`/${name}`))?.properties['query'];
      expect(rule(name)?.properties).toMatchObject({
        enabled: true,
        actions: { actionGroups: [group.id] },
        criteria: { allOf: [{ query }] },
      });
    }
    expect(one(main, 'Microsoft.Insights/webtests').properties).toMatchObject({
      Request: { HttpVerb: 'GET', RequestUrl: expect.stringContaining('/api/projects/') },
      ValidationRules: { ExpectedHttpStatusCode: 401 },
    });
    expect(one(main, 'Microsoft.Insights/metricAlerts').properties).toMatchObject({
      actions: [{ actionGroupId: group.id }],
    });
  });

  test('needs no network of its own and is reached without one', () => {
    expect(provider(main, 'Microsoft.Network/')).toEqual([]);
    expect(one(main, 'Microsoft.Web/sites').properties).toMatchObject({ virtualNetworkSubnetId: null });
  });
});

describeCompiled('the switches', () => {
  test('make a trial, on an existing endpoint with a key in Key Vault, in a private network with a way in', async () => {
    const from = await snapshot({
      TRIAL: 'true',
      FUNCTIONS_NODE_VERSION: '22',
      EXISTING_OPENAI_BASE_URL: 'https://engine.example.com/openai/v1',
      OPENAI_API_KEY_SECRET_URI: 'https://vault.example.com/secrets/openai',
      MCP_TOKEN_SECRET_URIS:
        'MCP_CRM_TOKEN=https://vault.example.com/secrets/crm, MCP_WIKI_TOKEN=https://vault.example.com/secrets/wiki',
      PRIVATE_NETWORK: 'true',
      ALLOWED_IP_ADDRESSES: '203.0.113.7, 198.51.100.0/24',
      ALWAYS_READY_INSTANCES: '1',
    });
    expect(from.resources.filter(({ type }) => /actionGroups|Rules|Alerts|webtests/.test(type))).toEqual([]);
    expect(one(from, 'Microsoft.Web/sites').properties).toMatchObject({
      keyVaultReferenceIdentity: one(from, 'Microsoft.ManagedIdentity/userAssignedIdentities').id,
      functionAppConfig: {
        runtime: { version: '22' },
        scaleAndConcurrency: { instanceMemoryMB: 512, alwaysReady: [{ name: 'http', instanceCount: 1 }] },
      },
    });
    // Nothing is created or granted of Foundry, and the key is named by its place, never by value.
    expect(provider(from, 'Microsoft.CognitiveServices/')).toEqual([]);
    expect(grants(from)).toEqual(appGrants);
    expect(settings(from)).toMatchObject({
      OPENAI_BASE_URL: 'https://engine.example.com/openai/v1',
      OPENAI_API_KEY: '@Microsoft.KeyVault(SecretUri=https://vault.example.com/secrets/openai)',
      MCP_CRM_TOKEN: '@Microsoft.KeyVault(SecretUri=https://vault.example.com/secrets/crm)',
      MCP_WIKI_TOKEN: '@Microsoft.KeyVault(SecretUri=https://vault.example.com/secrets/wiki)',
    });
    expect(one(from, 'Microsoft.Storage/storageAccounts')).toMatchObject({
      sku: { name: 'Standard_ZRS' },
      properties: {
        publicNetworkAccess: 'Enabled',
        networkAcls: {
          defaultAction: 'Deny',
          ipRules: [
            { action: 'Allow', value: '203.0.113.7' },
            { action: 'Allow', value: '198.51.100.0/24' },
          ],
        },
      },
    });
  }, 180_000);

  test('that are neither true nor false stop the deployment instead of opening it', async () => {
    await expect(snapshot({ PRIVATE_NETWORK: 'yes' })).rejects.toThrow(
      /Failed to evaluate parameter "privateNetwork"/,
    );
  }, 180_000);

  test('have no name that an output has: azd and the pipeline keep outputs as variables', () => {
    const read = (path: string) => readFileSync(join(infra, path), 'utf8');
    const outputs = [...read('main.bicep').matchAll(/^output (\w+)/gm)].map(([, name]) => name);
    const inputs = [...read('main.bicepparam').matchAll(/readEnvironmentVariable\('(\w+)'/g)].map(
      ([, name]) => name,
    );
    expect(inputs.length).toBeGreaterThan(20);
    expect(outputs.filter((name) => inputs.includes(name))).toEqual([]);
  });

  test('do not help a name that a site cannot have', async () => {
    await expect(snapshot({ AZURE_ENV_NAME: 'my_app (dev)' })).rejects.toThrow(
      /letters, digits and hyphens only/,
    );
  }, 180_000);
});

describeCompiled('the template', () => {
  let compiled: string;
  beforeAll(async () => {
    compiled = await template();
  }, 240_000);

  test('reads no key anywhere', () => {
    expect(compiled).not.toMatch(/\blist[A-Z]\w*\(/);
    expect(compiled).not.toMatch(/secure(string|object)/i);
  });

  // azd brings a Bicep of its own (0.45.15 in cli/azd/pkg/tools/bicep/bicep.go), and regions get versions late.
  test('asks for no API version that the Bicep of azd or a region may not know yet', () => {
    const versions = [...compiled.matchAll(/"apiVersion": "(\d{4}-\d\d-\d\d)/g)].map(
      ([, version]) => version ?? '',
    );
    expect(versions.length).toBeGreaterThan(30);
    expect(versions.filter((version) => version > '2025-06-01')).toEqual([]);
  });

  test('describes every parameter and every output, its own and those of its modules', () => {
    const undescribed: string[] = [];
    const visit = (node: unknown, path: string) => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, child] of Object.entries(node)) {
        if ((key === 'parameters' || key === 'outputs' || key === 'definitions') && '$schema' in node) {
          for (const [name, declared] of Object.entries(
            child as Record<string, { metadata?: { description?: string } }>,
          )) {
            if (!declared.metadata?.description) undescribed.push(`${path}/${key}/${name}`);
          }
        }
        visit(child, `${path}/${key}`);
      }
    };
    visit(JSON.parse(compiled), '');
    expect(undescribed).toEqual([]);
  });
});

describeCompiled('the private network', () => {
  let closed: Snapshot;
  beforeAll(async () => {
    closed = await snapshot({
      PRIVATE_NETWORK: 'true',
      AZURE_PRINCIPAL_ID: operator,
      ALERT_EMAILS: 'team@example.com',
      JWT_JWKS_URI: 'https://issuer.example.com/keys',
      AUDIT_LOGS: 'true',
      DELETION_LOCK: 'true',
      MONTHLY_BUDGET: '50',
    });
  }, 240_000);

  test('closes storage and Foundry to the internet', () => {
    expect(one(closed, 'Microsoft.Storage/storageAccounts').properties).toMatchObject({
      publicNetworkAccess: 'Disabled',
      networkAcls: { defaultAction: 'Deny', bypass: 'None', ipRules: [] },
    });
    expect(one(closed, 'Microsoft.CognitiveServices/accounts').properties).toMatchObject({
      publicNetworkAccess: 'Disabled',
      networkAcls: { defaultAction: 'Deny' },
    });
  });

  test('has an endpoint with its names for blobs, queues, tables and Foundry, in zones that the network sees', () => {
    const storageId = one(closed, 'Microsoft.Storage/storageAccounts').id;
    const foundryId = one(closed, 'Microsoft.CognitiveServices/accounts').id;
    const target = (name: string) => {
      const { properties } = one(closed, 'Microsoft.Network/privateEndpoints', name);
      return { properties };
    };
    const connection = (privateLinkServiceId: string, group: string) => ({
      properties: {
        subnet: { id: expect.stringMatching(/\/subnets\/endpoints$/) },
        privateLinkServiceConnections: [{ properties: { privateLinkServiceId, groupIds: [group] } }],
      },
    });
    expect(target('pep-blob')).toMatchObject(connection(storageId, 'blob'));
    expect(target('pep-queue')).toMatchObject(connection(storageId, 'queue'));
    expect(target('pep-table')).toMatchObject(connection(storageId, 'table'));
    expect(target('pep-foundry')).toMatchObject(connection(foundryId, 'account'));
    // Azure alone knows how the names of storage end.
    const zone = (text: string) => /privatelink\.[a-z.]+/.exec(text)?.[0];
    const zones = [
      'privatelink.blob.',
      'privatelink.cognitiveservices.azure.com',
      'privatelink.openai.azure.com',
      'privatelink.queue.',
      'privatelink.services.ai.azure.com',
      'privatelink.table.',
    ];
    const networkId = one(closed, 'Microsoft.Network/virtualNetworks').id;
    const links = all(closed, 'Microsoft.Network/privateDnsZones/virtualNetworkLinks');
    const groups = all(closed, 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups');
    const configured = groups.flatMap(({ properties }) => {
      const configs = properties['privateDnsZoneConfigs'] as { properties: { privateDnsZoneId: string } }[];
      return configs.map((config) => zone(config.properties.privateDnsZoneId));
    });
    expect(
      all(closed, 'Microsoft.Network/privateDnsZones')
        .map(({ name }) => zone(name))
        .sort(),
    ).toEqual(zones);
    expect(links.map(({ name }) => zone(name)).sort()).toEqual(zones);
    for (const link of links) expect(link.properties).toMatchObject({ virtualNetwork: { id: networkId } });
    expect(configured.sort()).toEqual(zones);
  });

  test('sends what the app sends through a delegated subnet with an address of its own to the internet', () => {
    const { subnets } = one(closed, 'Microsoft.Network/virtualNetworks').properties as { subnets: unknown[] };
    expect(subnets[0]).toMatchObject({
      name: 'app',
      properties: {
        natGateway: { id: one(closed, 'Microsoft.Network/natGateways').id },
        networkSecurityGroup: { id: one(closed, 'Microsoft.Network/networkSecurityGroups').id },
        delegations: [{ properties: { serviceName: 'Microsoft.App/environments' } }],
      },
    });
    expect(one(closed, 'Microsoft.Web/sites').properties['virtualNetworkSubnetId']).toMatch(
      /\/subnets\/app$/,
    );
  });

  test('grants and sets what it does without it; an operator may change projects and nothing else', () => {
    expect(grants(closed).filter((grant) => /^app /.test(grant))).toEqual([
      'app (ServicePrincipal): Foundry User on Microsoft.CognitiveServices/accounts/aif/projects/threads',
      ...appGrants,
    ]);
    const operators = grants(closed).filter((grant) => !/^(app|project) /.test(grant));
    // Whoever deploys is a person or a pipeline: only Azure knows.
    expect(operators).toEqual([
      expect.stringMatching(
        /^1{8}-\S+ \(\[.*deployer\(\)\.objectId.*\]\): Storage Table Data Contributor on .*\/tables\/projects$/,
      ),
    ]);
    expect(Object.keys(settings(closed)).sort()).toEqual(
      [
        ...settingNames.filter((name) => !withheld.includes(name) || name === 'JWT_JWKS_URI'),
        ...platformSettings,
      ].sort(),
    );
    expect(settings(closed)['JWT_JWKS_URI']).toBe('https://issuer.example.com/keys');
  });

  test('is kept from deletion, audited and held to a budget when asked, and alerts by mail', () => {
    const on = (type: string) =>
      all(closed, type).map(({ id }) => id.split('/providers/').at(-2)?.split('/').toSpliced(2, 1).join('/'));
    expect(on('Microsoft.Authorization/locks')).toEqual([
      'Microsoft.Storage/storageAccounts',
      'Microsoft.CognitiveServices/accounts',
    ]);
    expect(on('Microsoft.Insights/diagnosticSettings')).toEqual([
      'Microsoft.Storage/storageAccounts/blobServices/default',
      'Microsoft.Storage/storageAccounts/tableServices/default',
      'Microsoft.CognitiveServices/accounts',
    ]);
    // Requests and responses of the engine are no part of an audit.
    expect(JSON.stringify(all(closed, 'Microsoft.Insights/diagnosticSettings'))).not.toMatch(
      /RequestResponse|allLogs/,
    );
    expect(one(closed, 'Microsoft.Consumption/budgets').properties).toMatchObject({
      amount: 50,
      notifications: { most: { contactEmails: ['team@example.com'] } },
    });
    expect(one(closed, 'Microsoft.Insights/actionGroups').properties).toMatchObject({
      emailReceivers: [{ emailAddress: 'team@example.com' }],
    });
  });
});

describe('the log queries', () => {
  const query = (name: string) => readFileSync(join(infra, `queries/${name}.kql`), 'utf8');

  // The host's ResultCode is that of a failed invocation for a request whose client has left.
  test.each(['server-errors', 'engine-throttling', 'slow-creates', 'requests-by-route'])(
    "take the status of %s from the service's own line",
    (name) => {
      const code = query(name).replaceAll(/^\/\/.*$/gm, '');
      expect(code).toContain("startswith '{' and Message has 'requestId'");
      expect(code).toContain('Line.status');
      expect(code).not.toContain('ResultCode');
    },
  );

  test('count a request that left no line as an error, and one whose client left not', () => {
    expect(query('server-errors')).toContain('join kind=leftanti answered on Id');
  });
});

describe('the sources', () => {
  test('name no registry, no machine and no subscription', () => {
    const paths = globSync('**/*.{bicep,bicepparam,csproj,json,kql,ts}', { cwd: infra });
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      const text = readFileSync(join(infra, path), 'utf8');
      expect([path, text.match(/nuget\.org|npmjs|\/work\/|\/root\/|subscriptions\/[0-9a-f]{8}/g)]).toEqual([
        path,
        null,
      ]);
    }
  });
});
