import { join } from 'node:path';
import { az, azGet, run } from './commands.ts';

/*
 * `npm run preflight`: looks for what would make a deployment fail half-way, before anything is created. Needs Node and
 * a signed-in `az`, and reads the same variables as infra/main.bicepparam. Prints a line for each check and, under what
 * failed, what to do about it; exit code 1 when something did. azd and the pipeline run it before they provision.
 */

/** A check that failed: what is wrong, and the command or decision that mends it. */
class Fault extends Error {
  readonly remedy: string;

  constructor(text: string, remedy: string) {
    super(text);
    this.remedy = remedy;
  }
}

const env = (name: string): string => process.env[name]?.trim() ?? '';
const set = (name: string, value: string): string =>
  `azd env set ${name} ${value}   (in a pipeline: gh variable set ${name} --env ENVIRONMENT --body ${value})`;

let failures = 0;

/** Prints what a check found; later checks that need its result get undefined when it failed. */
async function check<T>(name: string, work: () => Promise<readonly [T, string]>): Promise<T | undefined> {
  try {
    const [result, text] = await work();
    console.log(`ok      ${name}: ${text}`);
    return result;
  } catch (error) {
    failures += 1;
    const remedy =
      error instanceof Fault ? error.remedy : 'Read what Azure says above; docs/deployment.md may know it.';
    console.log(`FAILED  ${name}: ${(error as Error).message}\n        What to do: ${remedy}`);
    return undefined;
  }
}

interface Account {
  readonly id: string;
  readonly tenantId: string;
  readonly user: { readonly name: string };
}

async function checkAccount(): Promise<readonly [Account, string]> {
  const account = await az<Account>('account', 'show').catch((error: Error) => {
    throw new Fault(error.message, 'az login');
  });
  const wanted = env('AZURE_SUBSCRIPTION_ID');
  if (wanted && wanted !== account.id) {
    throw new Fault(
      `az is at subscription ${account.id}, not at ${wanted}`,
      `az account set --subscription ${wanted}`,
    );
  }
  return [account, `${account.user.name}, subscription ${account.id}`];
}

interface ModelDeployment {
  readonly name: string;
  readonly model: string;
  readonly version: string;
  readonly sku: string;
  readonly capacity: number;
}

/** The parameters as Azure would get them, defaults included. */
interface Parameters {
  readonly jwtIssuer: string;
  readonly jwtJwksUri: string;
  readonly nodeVersion: string;
  readonly privateNetwork: boolean;
  readonly allowedIpAddresses: readonly string[];
  readonly existingOpenAiBaseUrl: string;
  readonly modelDeployments: readonly ModelDeployment[];
  readonly deletionLockEnabled: boolean;
}

const parameterFile = join(import.meta.dirname, 'main.bicepparam');

async function checkParameters(): Promise<readonly [Parameters, string]> {
  const name = env('AZURE_ENV_NAME');
  if (!/^[a-z0-9-]{2,20}$/i.test(name)) {
    throw new Fault(
      `the environment is called "${name}"`,
      'Choose a name of 2 to 20 letters, digits and hyphens: azd env new NAME',
    );
  }
  for (const [required, value] of [
    ['AZURE_LOCATION', 'swedencentral'],
    ['JWT_ISSUER', 'https://login.microsoftonline.com/TENANT/v2.0'],
    ['JWT_AUDIENCE', 'CLIENT-ID-OF-YOUR-API'],
  ] as const) {
    if (!env(required)) throw new Fault(`${required} is not set`, set(required, value));
  }
  const { status, output, errors } = await run('az', [
    'bicep',
    'build-params',
    '--file',
    parameterFile,
    '--stdout',
  ]);
  if (status !== 0)
    throw new Fault(
      errors.trim(),
      'Switches are "true" or "false", numbers are whole: see the variables in docs/deployment.md.',
    );
  const { parametersJson, templateJson } = JSON.parse(output);
  const given: Record<string, { value: unknown }> = JSON.parse(parametersJson).parameters;
  const declared: Record<string, { defaultValue?: unknown }> = JSON.parse(templateJson).parameters;
  const values = Object.entries(declared).map(([key, { defaultValue }]) => [
    key,
    given[key]?.value ?? defaultValue,
  ]);
  const parameters: Parameters = Object.fromEntries(values);
  const network = parameters.privateNetwork ? 'private network' : 'public endpoints';
  const engine = parameters.existingOpenAiBaseUrl ? 'an existing endpoint' : 'a Foundry account of its own';
  return [parameters, `${name} in ${env('AZURE_LOCATION')}, ${network}, ${engine}`];
}

/** Where a deployment of this environment is, or would be. */
interface Place {
  readonly subscription: string;
  readonly group: string;
  readonly location: string;
  /** Empty before the first deployment. */
  readonly resources: readonly { readonly id: string; readonly name: string; readonly type: string }[];
  readonly exists: boolean;
}

const normalized = (location: string): string => location.toLowerCase().replaceAll(' ', '');

async function checkGroup(subscription: string): Promise<readonly [Place, string]> {
  const name = env('AZURE_ENV_NAME');
  const group = `rg-${name.toLowerCase()}`;
  const location = normalized(env('AZURE_LOCATION'));
  const query = `[?name=='${group}'].{location:location, tags:tags}`;
  const [found] = await az<{ location: string; tags: Record<string, string> | null }[]>(
    'group',
    'list',
    '--query',
    query,
  );
  const place = { subscription, group, location };
  if (!found) return [{ ...place, resources: [], exists: false }, `${group} will be created`];
  if (normalized(found.location) !== location) {
    throw new Fault(
      `${group} is in ${found.location}, not in ${location}`,
      `${set('AZURE_LOCATION', found.location)}, or choose another environment name`,
    );
  }
  if (found.tags?.['azd-env-name']?.toLowerCase() !== name.toLowerCase()) {
    throw new Fault(
      `${group} is not a group of this environment: it has no tag azd-env-name=${name}`,
      `Choose another environment name, or if the group is yours: az group update --name ${group} --set tags.azd-env-name=${name}`,
    );
  }
  const resources = await az<Place['resources']>('resource', 'list', '--resource-group', group);
  return [{ ...place, resources, exists: true }, `${group} is there, with ${resources.length} resources`];
}

const ofType = ({ resources }: Place, type: string) =>
  resources.find((resource) => resource.type.toLowerCase() === type.toLowerCase());

const storageType = 'Microsoft.Storage/storageAccounts';
const siteType = 'Microsoft.Web/sites';
const foundryType = 'Microsoft.CognitiveServices/accounts';

/** A variation once chosen stays, unless its end is asked for in so many words. */
async function checkVariation(place: Place, parameters: Parameters): Promise<readonly [undefined, string]> {
  const storage = ofType(place, storageType);
  if (storage && !parameters.privateNetwork && env('PRIVATE_NETWORK') !== 'false') {
    const query = 'networkRuleSet.defaultAction';
    const action = await az<string>('storage', 'account', 'show', '--ids', storage.id, '--query', query);
    if (action === 'Deny') {
      throw new Fault(
        'the deployed environment is private, this deployment would open it to the internet',
        `${set('PRIVATE_NETWORK', 'true')}, or false to open it on purpose`,
      );
    }
  }
  if (ofType(place, siteType) && !ofType(place, foundryType) && !parameters.existingOpenAiBaseUrl) {
    throw new Fault(
      'the deployed environment uses an existing endpoint, this deployment would create a Foundry account',
      set('EXISTING_OPENAI_BASE_URL', 'https://…'),
    );
  }
  const closed = parameters.privateNetwork && parameters.allowedIpAddresses.length === 0;
  const note = closed
    ? '; no ALLOWED_IP_ADDRESSES, so projects can only be applied from inside the network'
    : '';
  return [undefined, (place.exists ? 'as deployed' : 'nothing is deployed yet') + note];
}

async function checkProviders(parameters: Parameters): Promise<readonly [undefined, string]> {
  const needed = [
    'Microsoft.Web',
    'Microsoft.Storage',
    'Microsoft.ManagedIdentity',
    'Microsoft.OperationalInsights',
    'Microsoft.Insights',
    ...(parameters.existingOpenAiBaseUrl ? [] : ['Microsoft.CognitiveServices']),
    // The subnet of a Flex Consumption app is delegated to the latter.
    ...(parameters.privateNetwork ? ['Microsoft.Network', 'Microsoft.App'] : []),
  ];
  const query = "[?registrationState=='Registered'].namespace";
  const registered = (await az<string[]>('provider', 'list', '--query', query)).map((name) =>
    name.toLowerCase(),
  );
  const missing = needed.filter((name) => !registered.includes(name.toLowerCase()));
  if (missing.length > 0) {
    throw new Fault(
      `not registered: ${missing.join(', ')}`,
      missing.map((name) => `az provider register --namespace ${name} --wait`).join(' && '),
    );
  }
  return [undefined, `${needed.length} are registered`];
}

async function checkRuntime(
  location: string,
  { nodeVersion }: Parameters,
): Promise<readonly [undefined, string]> {
  const regions = await az<{ name: string }[]>('functionapp', 'list-flexconsumption-locations');
  if (!regions.some(({ name }) => normalized(name) === location)) {
    throw new Fault(
      `${location} does not offer Flex Consumption`,
      'Choose one of: az functionapp list-flexconsumption-locations --query [].name --output tsv',
    );
  }
  const args = ['list-flexconsumption-runtimes', '--location', location, '--runtime', 'node'];
  const versions = (await az<{ version: string }[]>('functionapp', ...args)).map(({ version }) => version);
  if (!versions.includes(nodeVersion)) {
    throw new Fault(
      `${location} offers Node ${versions.join(', ') || 'in no version'}, not ${nodeVersion}`,
      versions.includes('22') ? set('FUNCTIONS_NODE_VERSION', '22') : 'Choose another region.',
    );
  }
  return [undefined, `Flex Consumption with Node ${nodeVersion} in ${location}`];
}

interface CatalogueEntry {
  readonly kind: string;
  readonly model: {
    readonly name: string;
    readonly version: string;
    readonly skus?: readonly { readonly name: string; readonly usageName?: string }[] | null;
  };
}

interface Usage {
  readonly name: { readonly value: string };
  readonly currentValue: number;
  readonly limit: number;
}

async function checkModels(
  place: Place,
  { modelDeployments }: Parameters,
): Promise<readonly [undefined, string]> {
  const at = ['--location', place.location];
  const account = ofType(place, foundryType);
  const inGroup = ['--resource-group', place.group, '--name', account?.name ?? ''];
  const [catalogue, usages, deployed] = await Promise.all([
    az<CatalogueEntry[]>('cognitiveservices', 'model', 'list', ...at),
    az<Usage[]>('cognitiveservices', 'usage', 'list', ...at),
    account
      ? az<{ name: string; sku: { capacity: number } }[]>(
          ...(['cognitiveservices', 'account', 'deployment', 'list', ...inGroup] as const),
        )
      : [],
  ]);
  for (const { name, model, version, sku, capacity } of modelDeployments) {
    const offers = catalogue.filter((entry) => entry.kind === 'AIServices' && entry.model.name === model);
    const offer = offers
      .filter((entry) => entry.model.version === version)
      .flatMap((entry) => entry.model.skus ?? [])
      .find((offered) => offered.name === sku);
    if (!offer) {
      const versions = [...new Set(offers.map((entry) => entry.model.version))].join(', ');
      throw new Fault(
        `${place.location} does not offer ${model} ${version} as ${sku} (versions there: ${versions || 'none'})`,
        'Choose another region, or another model in infra/main.bicepparam and in infra/assistants.',
      );
    }
    const usageName = offer.usageName ?? `OpenAI.${sku}.${model}`;
    const usage = usages.find((entry) => entry.name.value === usageName);
    const own = deployed.find((deployment) => deployment.name === name)?.sku.capacity ?? 0;
    const free = usage ? usage.limit - usage.currentValue + own : 0;
    if (free < capacity) {
      throw new Fault(
        `${name} needs ${capacity} thousand tokens a minute, ${free} are left of the quota ${usageName}`,
        free >= 1
          ? `${set('MODEL_CAPACITY', String(free))}, or ask for quota: https://aka.ms/oai/stuquotarequest`
          : 'Ask for quota (https://aka.ms/oai/stuquotarequest), purge a deleted Foundry account, or choose another region.',
      );
    }
  }
  return [undefined, modelDeployments.map(({ name, capacity }) => `${name} (${capacity})`).join(', ')];
}

interface Permission {
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
}

const matches = (pattern: string, action: string): boolean =>
  new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`, 'i').test(action);

/** Azure adds the roles up, but takes what a role leaves out from that role only. */
const allows = (permissions: readonly Permission[], action: string): boolean =>
  permissions.some(
    ({ actions, notActions }) =>
      actions.some((pattern) => matches(pattern, action)) &&
      !notActions.some((pattern) => matches(pattern, action)),
  );

async function checkRights(place: Place, parameters: Parameters): Promise<readonly [undefined, string]> {
  const subscription = `/subscriptions/${place.subscription}`;
  const read = async (scope: string) => {
    const path = `${scope}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01`;
    return (await azGet<{ value: Permission[] }>(path)).value;
  };
  // The group itself is there for whoever deploys without rights on the subscription.
  const scope = place.exists ? `${subscription}/resourceGroups/${place.group}` : subscription;
  const [above, here] = await Promise.all([read(subscription), read(scope)]);
  const needed: readonly (readonly [readonly Permission[], string, string])[] = [
    [above, 'Microsoft.Resources/deployments/write', subscription],
    [here, 'Microsoft.Web/sites/write', scope],
    [here, 'Microsoft.Authorization/roleAssignments/write', scope],
    ...(parameters.deletionLockEnabled
      ? [[here, 'Microsoft.Authorization/locks/write', scope] as const]
      : []),
  ];
  for (const [permissions, action, where] of needed) {
    if (!allows(permissions, action)) {
      throw new Fault(
        `you may not ${action} on ${where}`,
        'Have an owner grant it: Owner, or Contributor with Role Based Access Control Administrator; a pipeline: docs/deployment.md, "From GitHub".',
      );
    }
  }
  return [undefined, `may deploy and grant roles on ${place.exists ? place.group : 'the subscription'}`];
}

/** What the deployment would do, worked out by Azure, with the names that it would give. */
interface WhatIf {
  readonly changes: readonly { readonly resourceId: string; readonly changeType: string }[];
}

async function checkWhatIf({ location }: Place): Promise<readonly [WhatIf['changes'], string]> {
  const { changes } = await az<WhatIf>(
    ...(['deployment', 'sub', 'what-if', '--name', 'preflight', '--location', location] as const),
    ...['--template-file', join(import.meta.dirname, 'main.bicep'), '--parameters', parameterFile],
    ...['--no-pretty-print', '--result-format', 'ResourceIdOnly', '--no-prompt'],
  );
  const created = changes.filter(({ changeType }) => changeType === 'Create').length;
  return [changes, `Azure accepts the template; it would create ${created} resources`];
}

async function checkNames(place: Place, changes: WhatIf['changes']): Promise<readonly [undefined, string]> {
  const fresh = (type: string): string | undefined =>
    changes
      .filter(({ changeType }) => changeType === 'Create')
      .map(({ resourceId }) => new RegExp(`/providers/${type}/([^/]+)$`, 'i').exec(resourceId)?.[1])
      .find((name) => name !== undefined);
  const taken = (name: string, why: string): never => {
    throw new Fault(`${name} is taken (${why})`, 'Choose another environment name: all names come from it.');
  };
  const post = <T>(provider: string, operation: string, version: string, body: unknown) =>
    az<T>(
      ...(['rest', '--method', 'post', '--url'] as const),
      `https://management.azure.com/subscriptions/${place.subscription}/providers/${provider}/${operation}?api-version=${version}`,
      ...['--body', JSON.stringify(body)],
    );
  const storage = fresh(storageType);
  const site = fresh(siteType);
  const foundry = fresh(foundryType);
  if (storage) {
    const { nameAvailable, message } = await az<{ nameAvailable: boolean; message: string }>(
      ...(['storage', 'account', 'check-name', '--name', storage] as const),
    );
    if (!nameAvailable) taken(storage, message);
  }
  if (site) {
    const body = { name: site, type: siteType };
    const { nameAvailable, message } = await post<{ nameAvailable: boolean; message: string }>(
      ...(['Microsoft.Web', 'checkNameAvailability', '2024-04-01', body] as const),
    );
    if (!nameAvailable) taken(site, message);
  }
  if (foundry) {
    const deleted = await az<{ name: string; id: string }[]>('cognitiveservices', 'account', 'list-deleted');
    const own = deleted.find(({ name }) => name.toLowerCase() === foundry.toLowerCase());
    if (own) {
      throw new Fault(
        `${foundry} was deleted less than 48 hours ago and keeps its name and its quota`,
        `az cognitiveservices account purge --location ${place.location} --resource-group ${place.group} --name ${foundry}`,
      );
    }
    const body = { subdomainName: foundry, type: foundryType };
    const { isSubdomainAvailable, reason } = await post<{ isSubdomainAvailable: boolean; reason: string }>(
      ...(['Microsoft.CognitiveServices', 'checkDomainAvailability', '2025-06-01', body] as const),
    );
    if (!isSubdomainAvailable) taken(foundry, reason);
  }
  const names = [storage, site, foundry].filter((name) => name !== undefined);
  return [undefined, names.length > 0 ? `free: ${names.join(', ')}` : 'all are ours'];
}

async function readJson(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url} returned ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}

async function checkIssuer({ jwtIssuer, jwtJwksUri }: Parameters): Promise<readonly [undefined, string]> {
  const remedy =
    'JWT_ISSUER has to be what tokens have as "iss"; without discovery set JWT_JWKS_URI as well.';
  try {
    let keysAt = jwtJwksUri;
    if (!keysAt) {
      const found = await readJson(`${jwtIssuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
      if (found['issuer'] !== jwtIssuer) {
        throw new Fault(
          `${jwtIssuer} calls itself ${found['issuer']}`,
          set('JWT_ISSUER', String(found['issuer'])),
        );
      }
      keysAt = String(found['jwks_uri']);
    }
    const { keys } = await readJson(keysAt);
    if (!Array.isArray(keys) || keys.length === 0) throw new Error(`${keysAt} holds no keys`);
    return [undefined, `${jwtIssuer} publishes ${keys.length} keys`];
  } catch (error) {
    if (error instanceof Fault) throw error;
    const { message, cause } = error as Error & { cause?: { code?: string } };
    throw new Fault(`${jwtIssuer} cannot be used: ${cause?.code ?? message}`, remedy);
  }
}

const account = await check('Signed in', checkAccount);
const parameters = await check('Parameters', checkParameters);
if (parameters) await check('Issuer', () => checkIssuer(parameters));
if (account && parameters) {
  const place = await check('Resource group', () => checkGroup(account.id));
  await check('Resource providers', () => checkProviders(parameters));
  await check('Region', () => checkRuntime(normalized(env('AZURE_LOCATION')), parameters));
  if (place) {
    await check('Variation', () => checkVariation(place, parameters));
    if (!parameters.existingOpenAiBaseUrl) await check('Models', () => checkModels(place, parameters));
    await check('Rights', () => checkRights(place, parameters));
    const changes = await check('Template', () => checkWhatIf(place));
    if (changes) await check('Names', () => checkNames(place, changes));
  }
}
if (failures > 0) {
  console.log(`\n${failures} check(s) failed; nothing was created.`);
  process.exitCode = 1;
}
