import { authorizationSettings, parseAssistants } from './assistants/assistants.ts';
import { deepFreeze } from './freeze.ts';
import type { Assistant } from './model/assistant.ts';

/** Names of all settings, as in `local.settings.sample.json` and `infra/`. */
export const settingNames = [
  'JWT_ISSUER',
  'JWT_AUDIENCE',
  'JWT_JWKS_URI',
  'OPENAI_BASE_URL',
  'OPENAI_API_KEY',
  'OPENAI_TOKEN_SCOPE',
  'TABLES_ENDPOINT',
  'TABLES_CONNECTION_STRING',
  'QUEUES_ENDPOINT',
  'QUEUES_CONNECTION_STRING',
  'ASSISTANTS',
  'RUN_TIMEOUT_SECONDS',
  'MAX_TOOL_ROUNDS',
  'EVENT_STREAM_SECONDS',
  'MAX_FILE_MB',
  'CONSOLE',
] as const;

type SettingName = (typeof settingNames)[number];

/** The service's configuration. */
export interface Config {
  readonly jwt: { readonly issuer: string; readonly audience: string; readonly jwksUri: string | undefined };
  readonly engine: {
    readonly baseUrl: string;
    /** Undefined to authenticate with Entra ID tokens for `tokenScope`. */
    readonly apiKey: string | undefined;
    readonly tokenScope: string;
    /** Tokens for MCP servers, by the name of their setting. */
    readonly toolAuthorizations: ReadonlyMap<string, string>;
  };
  readonly tables: StorageConfig;
  readonly queues: StorageConfig;
  /** By assistant id. */
  readonly assistants: ReadonlyMap<string, Assistant>;
  readonly runTimeoutSeconds: number;
  /** Number of rounds of a run that may end with tool calls. */
  readonly maxToolRounds: number;
  /** Maximum duration of one event stream. */
  readonly eventStreamSeconds: number;
  readonly maxFileBytes: number;
}

/** Connection to a service of a storage account: its endpoint (with Entra ID), or a connection string. */
export type StorageConfig =
  | { readonly endpoint: string; readonly connectionString?: undefined }
  | { readonly connectionString: string; readonly endpoint?: undefined };

/** Lists all issues of the settings. Each names its setting and never quotes its value. */
export class ConfigError extends Error {
  readonly issues: readonly string[];

  constructor(issues: readonly string[]) {
    super(`The settings are not usable:\n${issues.map((issue) => `  - ${issue}`).join('\n')}`);
    this.name = 'ConfigError';
    this.issues = issues;
  }
}

/**
 * Reads the configuration from environment variables. Empty values count as missing.
 * @throws {ConfigError} listing every missing or malformed setting.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const issues: string[] = [];
  const config = readConfig(env, issues);
  const toolAuthorizations = readAuthorizations(config.assistants, env, issues);
  if (issues.length > 0) throw new ConfigError(issues);
  return deepFreeze({ ...config, engine: { ...config.engine, toolAuthorizations } });
}

/**
 * Reads the part of the configuration that managing projects takes.
 * @throws {ConfigError} as {@link parseConfig}, for these settings only.
 */
export function parseProjectsConfig(
  env: Readonly<Record<string, string | undefined>>,
): Pick<Config, 'tables' | 'assistants'> {
  const { tables, assistants } = readPart(env, /^(TABLES_|ASSISTANTS)/);
  return { tables, assistants };
}

/**
 * Reads the part of the configuration that managing documents takes.
 * @throws {ConfigError} as {@link parseConfig}, for these settings only.
 */
export function parseDocumentsConfig(
  env: Readonly<Record<string, string | undefined>>,
): Pick<Config, 'tables' | 'engine' | 'maxFileBytes'> {
  const { tables, engine, maxFileBytes } = readPart(env, /^(TABLES_|OPENAI_|MAX_FILE_MB)/);
  return { tables, engine, maxFileBytes };
}

/**
 * Reads the part of the configuration that an import takes.
 * @throws {ConfigError} as {@link parseConfig}, for these settings only.
 */
export function parseImportConfig(
  env: Readonly<Record<string, string | undefined>>,
): Pick<Config, 'tables' | 'engine' | 'assistants'> {
  const { tables, engine, assistants } = readPart(env, /^(TABLES_|OPENAI_|ASSISTANTS)/);
  return { tables, engine, assistants };
}

/** Reads the configuration; of what is wrong with it, minds only the settings that are named. */
function readPart(env: Readonly<Record<string, string | undefined>>, own: RegExp): Config {
  const issues: string[] = [];
  const config = readConfig(env, issues);
  const ownIssues = issues.filter((issue) => own.test(issue));
  if (ownIssues.length > 0) throw new ConfigError(ownIssues);
  return config;
}

/** Returns whether the console is switched on. */
export const servesConsole = (env: Readonly<Record<string, string | undefined>>): boolean =>
  env['CONSOLE']?.trim() === 'true';

/** Reads the configuration, and appends what is wrong with it to `issues`. */
function readConfig(env: Readonly<Record<string, string | undefined>>, issues: string[]): Config {
  const setting = (name: SettingName) => env[name]?.trim() || undefined;
  const required = (name: SettingName) => {
    const value = setting(name);
    if (value === undefined) issues.push(`${name} is missing`);
    return value ?? '';
  };
  const checked = (name: SettingName, value: string | undefined) => {
    const issue = value && urlIssue(value);
    if (issue) issues.push(`${name} ${issue}`);
    return value;
  };
  const storage = (prefix: 'TABLES' | 'QUEUES', endpointPart: string) =>
    parseStorage(
      prefix,
      checked(`${prefix}_ENDPOINT`, setting(`${prefix}_ENDPOINT`)),
      setting(`${prefix}_CONNECTION_STRING`),
      endpointPart,
      issues,
    );

  const wholeNumber = (name: SettingName, absent: number, longest: number) => {
    const value = setting(name) ?? String(absent);
    const parsed = Number(value);
    if (!/^\d+$/.test(value) || parsed < 1 || parsed > longest) {
      issues.push(`${name} must be a whole number from 1 to ${longest}`);
    }
    return parsed;
  };

  const config: Config = {
    jwt: {
      issuer: checked('JWT_ISSUER', required('JWT_ISSUER')) ?? '',
      audience: required('JWT_AUDIENCE'),
      jwksUri: checked('JWT_JWKS_URI', setting('JWT_JWKS_URI')),
    },
    engine: {
      baseUrl: checked('OPENAI_BASE_URL', required('OPENAI_BASE_URL')) ?? '',
      apiKey: setting('OPENAI_API_KEY'),
      tokenScope: setting('OPENAI_TOKEN_SCOPE') ?? 'https://ai.azure.com/.default',
      // Only the service itself needs them.
      toolAuthorizations: new Map(),
    },
    tables: storage('TABLES', 'TableEndpoint'),
    queues: storage('QUEUES', 'QueueEndpoint'),
    assistants: parseAssistants(required('ASSISTANTS'), issues),
    runTimeoutSeconds: wholeNumber('RUN_TIMEOUT_SECONDS', 600, 86_400),
    maxToolRounds: wholeNumber('MAX_TOOL_ROUNDS', 16, 100),
    // Azure's load balancer closes idle requests after 230 seconds.
    eventStreamSeconds: wholeNumber('EVENT_STREAM_SECONDS', 220, 220),
    // The host reads bodies of up to 100 MiB.
    maxFileBytes: wholeNumber('MAX_FILE_MB', 20, 95) * 1024 * 1024,
  };
  // Read again by servesConsole, when functions are registered.
  if (!/^(true|false)$/.test(setting('CONSOLE') ?? 'false')) issues.push('CONSOLE must be true or false');
  return deepFreeze(config);
}

/** Reads the settings with tokens for MCP servers. The service's own settings are not for them. */
function readAuthorizations(
  assistants: Config['assistants'],
  env: Readonly<Record<string, string | undefined>>,
  issues: string[],
): ReadonlyMap<string, string> {
  const authorizations = new Map<string, string>();
  for (const [id, assistant] of assistants) {
    for (const [place, name] of authorizationSettings(assistant)) {
      const isOwn = (settingNames as readonly string[]).includes(name);
      const value = env[name]?.trim();
      if (value && !isOwn) authorizations.set(name, value);
      else {
        const issue = isOwn ? 'is a setting of the service itself' : 'is missing';
        issues.push(`ASSISTANTS, ${id}: ${place} names ${name}, which ${issue}`);
      }
    }
  }
  return authorizations;
}

/** @param endpointPart name of the service's endpoint in a connection string. */
function parseStorage(
  prefix: string,
  endpoint: string | undefined,
  connectionString: string | undefined,
  endpointPart: string,
  issues: string[],
): StorageConfig {
  if (endpoint && connectionString) {
    issues.push(`${prefix}_ENDPOINT and ${prefix}_CONNECTION_STRING are both set; set one of them`);
  }
  if (!endpoint && !connectionString) {
    issues.push(`${prefix}_ENDPOINT (or ${prefix}_CONNECTION_STRING) is missing`);
  }
  const issue = connectionString && connectionStringIssue(connectionString, endpointPart);
  if (issue) issues.push(`${prefix}_CONNECTION_STRING ${issue}`);
  return endpoint ? { endpoint } : { connectionString: connectionString ?? '' };
}

function connectionStringIssue(value: string, endpointPart: string): string | undefined {
  if (value === 'UseDevelopmentStorage=true') return undefined;
  const parts = new Map(value.split(';').map((part) => part.split(/=(.*)/s, 2) as [string, string]));
  const authorized =
    parts.has('SharedAccessSignature') || (parts.has('AccountName') && parts.has('AccountKey'));
  if (!authorized) return 'must name an account and its key, or a shared access signature';
  const endpoint = parts.get(endpointPart);
  const issue = endpoint !== undefined && urlIssue(endpoint);
  if (issue) return `has a ${endpointPart} that ${issue}`;
  const plain = parts.get('DefaultEndpointsProtocol') === 'http' && endpoint === undefined;
  return plain ? 'must use https (http only for localhost)' : undefined;
}

/** Checks a URL. Plain HTTP, which would expose tokens and keys, is allowed for localhost only. */
function urlIssue(value: string): string | undefined {
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) return 'must be an absolute http(s) URL';
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  return url.protocol === 'http:' && !local ? 'must use https (http only for localhost)' : undefined;
}
